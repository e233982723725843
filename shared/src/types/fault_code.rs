use serde::Serialize;

keyword_enum! {
    /// The rule that an input breaks, for programs.
    FaultCode {
        /// The value is missing.
        Required = "required",
        /// No field or parameter has this name.
        UnknownName = "unknown_name",
        /// The parameter is given more than once.
        Repeated = "repeated",
        /// The value has another JSON type than it must have.
        WrongType = "wrong_type",
        /// The text does not have the required form.
        InvalidFormat = "invalid_format",
        /// The text is too short or too long.
        InvalidLength = "invalid_length",
        /// The text contains a character that is not allowed.
        InvalidCharacter = "invalid_character",
        /// The number is too small or too large.
        OutOfRange = "out_of_range",
        /// The value is not one of those that are allowed.
        UnknownValue = "unknown_value",
        /// The value is reserved by the platform.
        Reserved = "reserved",
        /// The password is too easy to guess.
        WeakPassword = "weak_password",
        /// The password is not the current one.
        WrongPassword = "wrong_password",
        /// The fields exclude each other, or one of them is missing.
        ConflictingFields = "conflicting_fields",
    }
}
