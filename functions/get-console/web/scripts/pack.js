// Copies the built console into the folder that the function embeds, with compressed forms of each file, and prints the sizes of what
// the first page loads. Fails if that is more than a slow connection should have to load.

import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const MAX_FIRST_LOAD = 170_000;

const built = new URL("../dist/", import.meta.url).pathname;
const target = new URL("../../assets/", import.meta.url).pathname;

const names = [["index.html", join(built, "index.html")], ...readdirSync(join(built, "files")).map((name) => [name, join(built, "files", name)])];
const kept = new Set([".gitignore"]);
const sizes = new Map();
mkdirSync(target, { recursive: true });
for (const [name, path] of names) {
    const text = readFileSync(path);
    const gzip = gzipSync(text, { level: 9 });
    const brotli = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: text.length } });
    copyFileSync(path, join(target, name));
    writeFileSync(join(target, `${name}.gz`), gzip);
    writeFileSync(join(target, `${name}.br`), brotli);
    sizes.set(name, { plain: text.length, gzip: gzip.length, brotli: brotli.length });
    for (const end of ["", ".gz", ".br"]) kept.add(name + end);
}
for (const name of readdirSync(target)) if (!kept.has(name)) rmSync(join(target, name));

// The page, and the files that it names.
const page = readFileSync(join(built, "index.html"), "utf8");
const first = ["index.html", ...[...page.matchAll(/\/console\/files\/([^"]+)/g)].map((found) => found[1])];
const total = first.reduce((sum, name) => sum + sizes.get(name).gzip, 0);
for (const [name, size] of sizes) {
    console.log(`${first.includes(name) ? "first" : "later"} ${name}: ${size.plain} B, gzip ${size.gzip} B, brotli ${size.brotli} B`);
}
console.log(`first load: ${total} B gzip, at most ${MAX_FIRST_LOAD}`);
if (total > MAX_FIRST_LOAD) {
    console.error(`The first load is ${total} B gzip, more than ${MAX_FIRST_LOAD}`);
    process.exit(1);
}
