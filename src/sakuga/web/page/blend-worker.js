// Blends whole pictures away from the page's own thread.
// In: {id, photo, anime, task: "keep"} or {..., task: "export", kept, strength, keep, type}.
// Out: {id, blob} or {id, error}.

import { keepChroma, mix } from "./blending.js";

const QUALITY = 0.94;

async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { canvas, context, image: context.getImageData(0, 0, canvas.width, canvas.height) };
}

async function work({ task, photo, anime, kept, strength, keep, type }) {
  const below = (await pixelsOf(photo)).image;
  const { canvas, context, image } = await pixelsOf(anime);
  if (task === "keep") {
    keepChroma(below.data, image.data, image.width, image.height);
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
