// Builds the page that runs alone: the same page as `sakuga serve` shows, painting in the browser.
//
//   npm ci && npm run build                    styles of the package -> dist/
//   npm run build -- --styles FOLDER --out FOLDER
//
// Sources are plain modules and stay as they are; the build puts files beside each other, says in
// index.html who paints, and tells the service worker what to keep.

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { readSpec } from "../src/sakuga/web/page/onnx-spec.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const PAGE = join(HERE, "../src/sakuga/web/page");
const RUNTIME = join(HERE, "node_modules/onnxruntime-web/dist");
const WASM = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
// Loaded where there is a GPU, and kept only then.
const WEBGPU = ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"];
const DEFAULT_STYLE = "novel";
// What only the server can do: its link, and its files.
const DESIGN = '\n    <a href="design">Design</a>';
const SERVED = ["engine-server.js", "design.html", "design.css", "design.js"];
const ENGINE = '<meta name="sakuga-engine" content="server">';
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const { values } = parseArgs({
  options: {
    styles: { type: "string", default: join(HERE, "../src/sakuga/styles/weights") },
    out: { type: "string", default: join(HERE, "dist") },
  },
});

/** Replace what must be there exactly once. */
function replaceOnce(text, before, after) {
  if (text.split(before).length !== 2) throw new Error(`the sources changed: ${before} is not there once`);
  return text.replace(before, () => after);
}

/** Put the style files in place, and a list of them like that of GET /api/styles. */
async function copyStyles(out) {
  const files = (await readdir(values.styles)).filter((name) => name.endsWith(".onnx")).sort();
  if (files.length === 0) throw new Error(`${values.styles}: holds no style file (.onnx)`);
  await mkdir(join(out, "styles"));
  const styles = [];
  for (const file of files) {
    const bytes = await readFile(join(values.styles, file));
    const { name, version, description, licence, attribution } = readSpec(bytes);
    await writeFile(join(out, "styles", `${name}.onnx`), bytes);
    styles.push({ name, version, description, licence, attribution });
  }
  const chosen = (styles.find(({ name }) => name === DEFAULT_STYLE) ?? styles[0]).name;
  const list = styles.map((style) => ({ ...style, default: style.name === chosen }));
  await writeFile(join(out, "styles/index.json"), JSON.stringify({ styles: list }, null, 1));
}

async function build(out) {
  await rm(out, { recursive: true, force: true });
  await cp(PAGE, out, { recursive: true });
  for (const name of SERVED) await rm(join(out, name));
  await mkdir(join(out, "ort"));
  for (const name of [...WASM, ...WEBGPU]) await cp(join(RUNTIME, name), join(out, "ort", name));
  await copyStyles(out);

  const index = join(out, "index.html");
  const policy = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
  const engine = ENGINE.replace("server", "browser");
  const served = replaceOnce(await readFile(index, "utf8"), DESIGN, "");
  await writeFile(index, replaceOnce(served, ENGINE, `${policy}\n${engine}`));

  const all = await readdir(out, { recursive: true, withFileTypes: true });
  const kept = all
    .filter((entry) => entry.isFile() && entry.name !== "sw.js" && !WEBGPU.includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1).replaceAll("\\", "/"))
    .sort();
  const hash = createHash("sha256");
  for (const name of kept) hash.update(name).update(await readFile(join(out, name)));
  const worker = join(out, "sw.js");
  let text = await readFile(worker, "utf8");
  text = replaceOnce(text, "const FILES = []; // filled in by the build", `const FILES = ${JSON.stringify(["./", ...kept])};`);
  text = replaceOnce(text, '"development"; // filled in by the build', `"${hash.digest("hex").slice(0, 16)}";`);
  await writeFile(worker, text);
  console.log(`${out}: ${kept.length + WEBGPU.length + 1} files; any static host can serve them`);
}

await build(values.out);
