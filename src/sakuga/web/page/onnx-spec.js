// Reads the spec that a style file carries (see sakuga/styles/spec.py), without loading the graph.
//
// An .onnx file is a protobuf ModelProto; field 14 holds metadata entries, whose field 1 is the key
// and field 2 the value. https://protobuf.dev/programming-guides/encoding/

const KEY = "sakuga.style";
const METADATA = 14;

/** The spec in the bytes of a style file. */
export function readSpec(bytes) {
  for (const entry of fields(bytes)) {
    if (entry.number !== METADATA) continue;
    const pair = {};
    for (const { number, value } of fields(entry.value)) pair[number] = new TextDecoder().decode(value);
    if (pair[1] === KEY) return JSON.parse(pair[2]);
  }
  throw new Error("this is not a style file: it has no metadata that says how to run it");
}

/** Yield the length-delimited fields of a message: {number, value}. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("this is not a whole style file");
      value += (byte & 127) * scale; // numbers above 2**53 do not occur in what is read here
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      yield { number: Math.floor(tag / 8), value: bytes.subarray(at, at + length) };
      at += length;
    } else throw new Error("this is not a style file");
  }
}
