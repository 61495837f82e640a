// Blends whole pictures away from the page's own thread.
// In: {id, task: "keep", photo, anime, draft}, {id, task: "shrink", photo} or
// {id, task: "export", photo, anime, kept, strength, keep, type}.
// Out: {id, blob} or {id, error}.

import { keepChroma, mix } from "./blending.js";
import { redraw } from "./redraw.js";
import { shrink, workingSize } from "./working.js";

const QUALITY = 0.94;

async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { canvas, context, image: context.getImageData(0, 0, canvas.width, canvas.height) };
}

function shrunk({ data, width, height }) {
  const [newWidth, newHeight] = workingSize(width, height);
  return new ImageData(shrink(data, width, height, newWidth, newHeight), newWidth, newHeight);
}

async function work({ task, photo, anime, draft, kept, strength, keep, type }) {
  const below = (await pixelsOf(photo)).image;
  if (task === "shrink") {
    const small = shrunk(below);
    const canvas = new OffscreenCanvas(small.width, small.height);
    canvas.getContext("2d").putImageData(small, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }
  const { canvas, context, image } = await pixelsOf(anime);
  if (task === "keep") {
    if (draft) {
      const small = (await pixelsOf(draft)).image;
      keepChroma(shrunk(below).data, small.data, small.width, small.height);
      redraw(small, image);
    } else keepChroma(below.data, image.data, image.width, image.height);
    type = "image/png";
  } else {
    const other = kept === null ? null : (await pixelsOf(kept)).image.data;
    mix(below.data, image.data, other, strength, keep);
  }
  context.putImageData(image, 0, 0);
  if (type === "image/jpeg") {
    context.globalCompositeOperation = "destination-over"; // JPEG has no alpha: white shows through
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  return canvas.convertToBlob({ type, quality: QUALITY });
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ id: data.id, blob: await work(data) });
  } catch (error) {
    postMessage({ id: data.id, error: error.message });
  }
});
