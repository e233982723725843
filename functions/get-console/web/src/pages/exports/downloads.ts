// The files of an export as a person downloads them.

interface File {
    /** `exports/{tenant}/{export}/{folder}/{token}/{name}`. */
    key: string;
    url: string;
    sha256: string;
}

/**
 * The name that differs from those of the other files of the export: without the token, which only separates attempts. The manifest is alone
 * in its folder. The name of a collection may contain a slash, which must not choose another folder.
 */
export function nameOf({ key }: Pick<File, "key">): string {
    const [folder, , ...parts] = key.split("/").slice(3);
    const name = parts.join("%2F");
    if (!folder || !name) return key;
    return folder === "manifest" ? name : `${folder}/${name}`;
}

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
