// Turns a core module into a component: node component.mjs MODULE.wasm WORLD OUT.wasm FILE.wit...
//
// It stands in the folder into which jco is installed (see ../hello/build.sh) and uses the part of jco that is plain
// WebAssembly, so it runs wherever Node.js does. The first WIT file holds the world; the packages it uses are in the others
// or are those of WASI 0.2, which come with jco. What the module imports of the C library (wasi_snapshot_preview1) is
// answered by jco's adapter.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const WASI = "wit/builtin/0.2.12";
const [module, world, out, ...wit] = process.argv.slice(2);
const jco = join(dirname(fileURLToPath(import.meta.url)), "node_modules/@bytecodealliance/jco/lib");

// A package that has a file of its own, as a package nested in another file.
function nested(source, path) {
    const head = /^\s*package\s+([^;{]+);/m.exec(source);
    if (!head) {
        throw new Error(`${path}: no package name`);
    }
    return `package ${head[1]} {${source.slice(head.index + head[0].length)}\n}\n`;
}

async function packages() {
    const own = wit.slice(1);
    const wasi = (await readdir(join(jco, WASI))).sort().map((name) => join(jco, WASI, name, "package.wit"));
    return Promise.all([...own, ...wasi].map(async (path) => nested(await readFile(path, "utf8"), path)));
}

if (!wit.length) {
    console.error("usage: component.mjs MODULE.wasm WORLD OUT.wasm FILE.wit...");
    process.exit(2);
}
try {
    const witSource = [await readFile(wit[0], "utf8"), ...(await packages())].join("\n");
    const embedded = await componentEmbed({ binary: await readFile(module), witSource, world });
    const adapter = await readFile(join(jco, "wasi_snapshot_preview1.reactor.wasm"));
    await writeFile(out, await componentNew(embedded, [["wasi_snapshot_preview1", adapter]]));
} catch (e) {
    console.error(`component.mjs: ${e.payload ?? e.message ?? e}`);
    process.exit(1);
}
