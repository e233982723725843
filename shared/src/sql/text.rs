//! Statements put together at compile time.

/// The length of what [`join`] returns.
pub(crate) const fn joined_length(parts: &[&str], prefix: &str, separator: &str) -> usize {
    let mut length = 0;
    let mut part = 0;
    while part < parts.len() {
        if part > 0 {
            length += separator.len();
        }
        length += prefix.len() + parts[part].len();
        part += 1;
    }
    length
}

/// The parts, each after `prefix`, with `separator` between them.
pub(crate) const fn join<const LENGTH: usize>(parts: &[&str], prefix: &str, separator: &str) -> [u8; LENGTH] {
    let mut text = [0; LENGTH];
    let mut end = 0;
    let mut part = 0;
    while part < parts.len() {
        if part > 0 {
            end = append(&mut text, end, separator);
        }
        end = append(&mut text, end, prefix);
        end = append(&mut text, end, parts[part]);
        part += 1;
    }
    text
}

const fn append<const LENGTH: usize>(text: &mut [u8; LENGTH], mut end: usize, addition: &str) -> usize {
    let bytes = addition.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        text[end] = bytes[index];
        end += 1;
        index += 1;
    }
    end
}

/// Joined text as a constant: `joined!(parts, prefix, separator)`, all of them constants.
macro_rules! joined {
    ($parts:expr, $prefix:expr, $separator:expr) => {{
        const PARTS: &[&str] = $parts;
        const TEXT: [u8; $crate::sql::joined_length(PARTS, $prefix, $separator)] =
            $crate::sql::join(PARTS, $prefix, $separator);
        match std::str::from_utf8(&TEXT) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        }
    }};
}
pub(crate) use joined;

/// A statement as a constant, from parts that are constants: `text!("SELECT ", TenantColumns::LIST, " FROM tenants")`.
macro_rules! text {
    ($($part:expr),+ $(,)?) => {
        const { $crate::sql::joined!(&[$($part),+], "", "") }
    };
}
pub(crate) use text;

#[cfg(test)]
mod tests {
    #[test]
    fn parts_are_joined_at_compile_time() {
        const LIST: &str = super::joined!(&["id", "name"], "t.", ", ");
        assert_eq!(LIST, "t.id, t.name");
        assert_eq!(super::text!("SELECT ", LIST, " FROM t"), "SELECT t.id, t.name FROM t");
    }
}
