// Paintings as files, and files saved.

import { blender } from "./blender.js";

const TYPES = { png: "image/png", jpg: "image/jpeg", webp: "image/webp" };

/** An item's painting in a style, blended as it is seen, as {name, blob}. */
export async function exported(item, style, { format, strength, keep }) {
  const { blob: anime } = item.paintings.get(style);
  const name = `${item.name}-${style}.${format}`;
  if (format === "png" && strength === 1 && keep === 0) return { name, blob: anime };
  const kept = keep > 0 ? await item.keepColours(style) : null;
  const asked = { task: "export", photo: item.photo, anime, kept, strength, keep, type: TYPES[format] };
  return { name, blob: (await blender.call(asked)).blob };
}

/** Files with names of which no two are the same. */
export function apart(files) {
  const taken = new Set();
  return files.map(({ name, blob }) => {
    let free = name;
    for (let n = 2; taken.has(free); n++) free = name.replace(/(\.[^.]*)$/, `-${n}$1`);
    taken.add(free);
    return { name: free, blob };
  });
}

/** Save a Blob as a file of the user's. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be reading
}
