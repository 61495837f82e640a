// An MP4 file (ISO/IEC 14496-12 and -15) of H.264 frames that WebCodecs encoded: one video track.

const SCALE = 90_000; // units a second

/** Make a file. `frames`: [{bytes, key}], all of the same length; `avcC`: the decoder's configuration. */
export function mp4({ width, height, frames, framesPerSecond, avcC }) {
  const step = SCALE / framesPerSecond;
  const duration = step * frames.length;
  const matrix = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000].flatMap(u32);
  const start = box("ftyp", text("isom"), u32(0x200), text("isomiso2avc1mp41"));
  const sizes = frames.flatMap(({ bytes }) => u32(bytes.length));
  const keys = frames.flatMap(({ key }, index) => (key ? [index + 1] : []));
  const entry = box(
    "avc1",
    zeros(6), u16(1), zeros(16), u16(width), u16(height), u32(0x480000), u32(0x480000), zeros(4), u16(1),
    zeros(32), u16(24), u16(0xffff), box("avcC", avcC),
  );
  const about = (offset) =>
    box(
      "moov",
      full("mvhd", 0, zeros(8), u32(SCALE), u32(duration), u32(0x10000), u16(0x100), zeros(10), matrix, zeros(24), u32(2)),
      box(
        "trak",
        full("tkhd", 3, zeros(8), u32(1), zeros(4), u32(duration), zeros(16), matrix, u32(width * 65536), u32(height * 65536)),
        box(
          "mdia",
          full("mdhd", 0, zeros(8), u32(SCALE), u32(duration), u16(0x55c4), u16(0)),
          full("hdlr", 0, zeros(4), text("vide"), zeros(12), text("video\0")),
          box(
            "minf",
            full("vmhd", 1, zeros(8)),
            box("dinf", full("dref", 0, u32(1), full("url ", 1))),
            box(
              "stbl",
              full("stsd", 0, u32(1), entry),
              full("stts", 0, u32(1), u32(frames.length), u32(step)),
              full("stss", 0, u32(keys.length), keys.flatMap(u32)),
              full("stsc", 0, u32(1), u32(1), u32(frames.length), u32(1)),
              full("stsz", 0, u32(0), u32(frames.length), sizes),
              full("stco", 0, u32(1), u32(offset)),
            ),
          ),
        ),
      ),
    );
  const offset = start.length + about(0).length + 8;
  const media = box("mdat", ...frames.map(({ bytes }) => bytes));
  return new Blob([start, about(offset), media], { type: "video/mp4" });
}

function box(name, ...parts) {
  const size = 8 + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(size);
  bytes.set([...u32(size), ...text(name)]);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const full = (name, flags, ...parts) => box(name, u32(flags), ...parts);
const u32 = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const u16 = (value) => [value >>> 8, value & 255];
const zeros = (count) => new Uint8Array(count);
const text = (letters) => Array.from(letters, (letter) => letter.charCodeAt(0));
