// A zip archive of files that are compressed already, so they are only stored (APPNOTE 6.3.10).

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

/** Make a zip of [{name, blob}]; at most 4 GB and 65,535 files, which the format without Zip64 holds. */
export async function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const content = new Uint8Array(await blob.arrayBuffer());
    const label = new TextEncoder().encode(name);
    const facts = entry(label.length, content.length, crc32(content));
    parts.push(numbers([0x04034b50, 4]), facts, label, blob);
    // made by: 2.0; comment, disk, attributes: none
    directory.push(numbers([0x02014b50, 4], [20, 2]), facts);
    directory.push(numbers([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), label);
    offset += 4 + facts.length + label.length + content.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = files.length;
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [offset, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** The 26 bytes that a file's own header and the directory share. */
function entry(labelLength, size, crc) {
  const utf8 = 0x0800;
  const date = (46 << 9) | (1 << 5) | 1; // 1 January 2026: the page tells nobody's time
  return numbers(
    [20, 2], [utf8, 2], [0, 2], [0, 2], [date, 2],
    [crc, 4], [size, 4], [size, 4], [labelLength, 2], [0, 2],
  );
}

/** Little-endian numbers, each [value, bytes]. */
function numbers(...pairs) {
  return Uint8Array.from(
    pairs.flatMap(([value, bytes]) => Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff)),
  );
}
