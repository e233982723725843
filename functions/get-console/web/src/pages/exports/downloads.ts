// The files of an export as a person downloads them.

interface File {
    /** `exports/{tenant}/{export}/{attempt}/{name}`. */
    key: string;
    url: string;
    sha256: string;
}

/** The part of the key that differs between the files of an export. */
export const nameOf = ({ key }: Pick<File, "key">): string => key.split("/").slice(4).join("/") || key;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A command that downloads files and compares them with their digests. It fails at the first that differs. */
export const downloadCommand = (files: File[]): string =>
    [
        "set -e",
        ...files.map((file) => `curl --fail --silent --show-error --create-dirs --output ${quoted(`export/${nameOf(file)}`)} ${quoted(file.url)}`),
        "sha256sum --check --strict <<'END'",
        ...files.map((file) => `${file.sha256}  export/${nameOf(file)}`),
        "END",
    ].join("\n");
