// A video file as this browser sees it: how long it is, and its frames as pictures.

const BEFORE_END_S = 0.05; // there is no frame at the very end

export class Clip {
  constructor() {
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.preload = "auto";
    this.address = ""; // of the file, for players
    this.duration = null; // seconds; Infinity: not known; null: this browser cannot show it
  }

  async open(file) {
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.video.src = this.address;
    this.duration = await new Promise((resolve) => {
      this.video.onloadedmetadata = () => resolve(this.video.videoWidth > 0 ? this.video.duration : null);
      this.video.onerror = () => resolve(null); // a kind that only the server reads
    });
  }

  /** True where a part of it can be chosen. */
  get hasTimes() {
    return Number.isFinite(this.duration ?? NaN);
  }

  /** The frame at a time as PNG, its longer side so many pixels at most. */
  async frame(seconds, side) {
    const { video } = this;
    const time = this.hasTimes ? Math.max(0, Math.min(seconds, this.duration - BEFORE_END_S)) : 0;
    if (video.currentTime !== time || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      await new Promise((resolve) => {
        video.onseeked = resolve;
        video.currentTime = time;
      });
    }
    const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
    const canvas = new OffscreenCanvas(Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return canvas.convertToBlob();
  }
}
