// A video: uploaded, looked at, painted, watched beside the original, saved.

import { engine } from "./engine.js";
import { say } from "./messages.js";
import { fillSelect } from "./style-picker.js";

const find = (id) => document.getElementById(id);

export function openVideo(styles, firstStyle) {
  if (engine.videos === null) {
    find("video-elsewhere").hidden = false;
    find("video-form").hidden = true;
    return { choose: () => say("A video needs the app; this page paints pictures.") };
  }
  fillSelect(find("video-style"), styles, firstStyle);
  const view = new VideoView();
  return { choose: (file) => view.choose(file) };
}

class VideoView {
  constructor() {
    this.file = null; // dropped rather than picked
    this.job = null;
    this.upload = null;
    find("video-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    find("video-file").addEventListener("change", () => (this.file = null));
    find("job-cancel").addEventListener("click", () => this.cancel());
    find("job-again").addEventListener("click", () => this.again());
    find("job-play").addEventListener("click", () => this.play());
    this.#playTogether();
  }

  choose(file) {
    const list = new DataTransfer();
    list.items.add(file);
    find("video-file").files = list.files;
    this.file = file;
  }

  async start() {
    const file = this.file ?? find("video-file").files[0];
    this.upload = new AbortController();
    this.original = URL.createObjectURL(file);
    this.#open();
    const options = {
      style: find("video-style").value,
      max_side: find("video-side").value,
      keep_colour: find("video-keep").checked,
    };
    try {
      this.job = await engine.videos.start(file, options, {
        signal: this.upload.signal,
        progress: (share) => this.#tell(`Sending, ${Math.round(share * 100)} %`, share),
      });
      engine.videos.watch(
        this.job,
        (job) => this.#update(job),
        () => this.#end("The server does not answer any more."),
      );
    } catch (error) {
      this.#end(error.name === "AbortError" ? "Cancelled." : `It cannot be painted: ${error.message}`);
    }
    this.upload = null;
  }

  #open() {
    find("video-form").hidden = true;
    find("video-job").hidden = false;
    for (const id of ["job-pair", "job-preview", "job-play", "job-download", "job-again"]) find(id).hidden = true;
    find("job-cancel").hidden = find("job-progress").hidden = false;
    find("job-title").focus();
    this.#tell("Sending", 0);
  }

  /** Say what happens; `share` null: nobody knows how long it takes. */
  #tell(sentence, share) {
    find("job-state").textContent = sentence;
    if (share === null) find("job-progress").removeAttribute("value");
    else find("job-progress").value = share;
  }

  #update(job) {
    if (this.job === null) return; // cancelled here already
    this.job = job;
    if (job.preview !== null && find("job-preview").hidden) {
      find("job-preview").querySelector("img").src = job.preview.slice(1);
      find("job-preview").hidden = false;
    }
    if (job.state === "queued") this.#tell("Waiting for another video", null);
    else if (job.state === "preview") this.#tell("Painting a few moments to look at", null);
    else if (job.state === "painting") this.#tell(progressOf(job), shareOf(job));
    else if (job.state === "done") this.#done(job);
    else this.#end(job.state === "failed" ? `It cannot be painted: ${job.error}` : "Cancelled.");
  }

  #done(job) {
    const address = job.result.slice(1);
    find("job-source").src = this.original;
    find("job-result").src = address;
    find("job-download").href = address;
    for (const id of ["job-pair", "job-play", "job-download"]) find(id).hidden = false;
    this.#end(["Done.", ...job.notes].join(" "));
  }

  #end(sentence) {
    find("job-state").textContent = sentence;
    find("job-cancel").hidden = find("job-progress").hidden = true;
    find("job-again").hidden = false;
  }

  async cancel() {
    this.upload?.abort();
    const job = this.job;
    if (job === null) return;
    this.job = null;
    this.#end("Cancelled.");
    await this.#forget(job);
  }

  async again() {
    const job = this.job;
    this.job = null;
    for (const id of ["job-source", "job-result"]) {
      find(id).removeAttribute("src");
      find(id).load();
    }
    URL.revokeObjectURL(this.original);
    find("video-job").hidden = true;
    find("video-form").hidden = false;
    find("video-file").focus();
    if (job !== null) await this.#forget(job);
  }

  async #forget(job) {
    try {
      await engine.videos.remove(job);
    } catch (error) {
      say(error.message);
    }
  }

  play() {
    const result = find("job-result");
    if (result.paused) result.play();
    else result.pause();
  }

  /** The painted video leads, and the original follows. */
  #playTogether() {
    const [lead, other] = [find("job-result"), find("job-source")];
    const follow = () => (other.currentTime = lead.currentTime);
    lead.addEventListener("play", () => {
      follow();
      other.play();
      find("job-play").textContent = "Pause both";
    });
    lead.addEventListener("pause", () => {
      other.pause();
      follow();
      find("job-play").textContent = "Play both";
    });
    lead.addEventListener("seeked", follow);
  }
}

function progressOf(job) {
  const of = job.total_frames === null ? "" : ` of ${job.total_frames}`;
  const left = job.seconds_left === null ? "" : `, ${inWords(job.seconds_left)} left`;
  return `Frame ${job.frames}${of}${left}`;
}

function shareOf(job) {
  return job.total_frames === null ? null : Math.min(1, job.frames / job.total_frames);
}

function inWords(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
}
