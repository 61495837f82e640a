// A video: its styles on one of its frames, its part and size chosen, painted, watched beside itself, saved.

import { Clip } from "./clip.js";
import { Compare } from "./compare.js";
import { engine } from "./engine.js";
import { Item } from "./item.js";
import { say } from "./messages.js";
import { clock, Player } from "./player.js";
import { fillStyles } from "./style-picker.js";

const STEPS = 1000; // of the sliders of time
const find = (id) => document.getElementById(id);

export function openVideo(styles, firstStyle) {
  if (engine.videos === null) {
    find("video-elsewhere").hidden = false;
    find("video-empty").hidden = true;
    return { choose: () => say("Videos need the app. This page paints pictures.") };
  }
  const view = new VideoView(styles, firstStyle);
  return { choose: (file) => view.choose(file), stop: () => view.player.stop() };
}

class VideoView {
  constructor(styles, firstStyle) {
    this.file = null;
    this.style = firstStyle;
    this.item = null; // a frame of the video, as a picture
    this.busy = null; // an AbortController of its painting
    this.job = null;
    this.upload = null;
    this.saved = true; // the result, if there is one
    this.clip = new Clip();
    this.moment = 0; // of the frame that is looked at, seconds
    this.compare = new Compare(find("video-frame"), { before: "frame" });
    this.watch = new Compare(find("video-watch"), { videos: true, before: "video" });
    this.player = new Player(this.watch, find("video-player"));
    this.picker = fillStyles(find("video-styles"), styles, firstStyle, (style) => this.#chooseStyle(style), "video-style");
    const on = (id, name, act) => find(id).addEventListener(name, act);
    on("video-empty", "click", (event) => event.target.closest("input") ?? find("video-file").click());
    on("video-file", "change", ({ target }) => {
      if (target.files.length > 0) this.choose(target.files[0]);
      target.value = "";
    });
    on("video-strength", "input", () => this.#blend());
    on("video-keep", "change", () => this.#blend());
    on("video-side", "change", () => this.#look());
    for (const id of ["video-start", "video-stop"]) {
      on(id, "input", () => this.#trim(id));
      on(id, "change", () => this.#look(this.#time(id)));
    }
    on("video-form", "submit", (event) => {
      event.preventDefault();
      this.start();
    });
    addEventListener("beforeunload", (event) => (this.#runs() || !this.saved) && event.preventDefault());
    on("job-download", "click", () => (this.saved = true));
    on("job-cancel", "click", () => this.cancel());
    on("job-back", "click", () => this.#keepUnsaved(() => this.#back()));
    for (const id of ["video-other", "job-other"]) on(id, "click", () => find("video-file").click());
  }

  /** Take a video, unless that would lose another. */
  choose(file) {
    if (this.#runs()) say("One video at a time: cancel this one, or wait for it.");
    else this.#keepUnsaved(() => this.#take(file));
  }

  /** Do what loses the result; if that is not saved, only once that was said. */
  #keepUnsaved(act) {
    if (this.saved) act();
    else say("The painted video is not saved, and would be lost.", "Let it go", act);
  }

  /** Take a video, and show a frame of it. */
  async #take(file) {
    this.file = file;
    this.stem = file.name.replace(/\.[^.]*$/, "");
    find("video-empty").hidden = true;
    find("video-studio").hidden = false;
    find("video-name").textContent = file.name;
    this.#drop();
    await this.clip.open(file);
    [find("video-start").value, find("video-stop").value] = [0, STEPS];
    this.#back();
    this.#trim();
    if (this.clip.duration === null) say("This browser cannot show this video. It can be painted all the same.");
    else await this.#look(this.clip.duration / 3);
  }

  /** Seconds that a slider of time stands at. */
  #time(id) {
    return (find(id).value / STEPS) * this.clip.duration;
  }

  /** Keep the end after the start, whichever is moved, and tell the times. */
  #trim(moved = "video-start") {
    const [start, stop] = [find("video-start"), find("video-stop")];
    if (Number(stop.value) <= Number(start.value)) {
      if (moved === "video-start") start.value = stop.value - 1;
      else stop.value = Number(start.value) + 1;
    }
    for (const { id, value } of [start, stop]) {
      const text = clock((value / STEPS) * (this.clip.duration ?? 0));
      find(`${id}-value`).textContent = text;
      find(id).setAttribute("aria-valuetext", text);
    }
  }

  /** Show the frame at a time, as large as it will be painted, on the stage and the tiles of styles. */
  async #look(seconds = this.moment) {
    if (this.clip.duration === null) return;
    this.moment = seconds;
    const turn = (this.turn = {});
    const frame = await this.clip.frame(seconds, Number(find("video-side").value || Infinity));
    const item = new Item(new File([frame], `${this.stem}.png`, { type: "image/png" }));
    await item.open();
    if (turn !== this.turn) return item.close(); // another frame is wanted by now
    this.#drop();
    this.item = item;
    this.update();
  }

  #drop() {
    this.busy?.abort();
    this.busy = null;
    this.item?.close();
    this.item = null;
    this.update();
  }

  #chooseStyle(style) {
    this.style = style;
    this.update();
  }

  /** Show the frame, and paint it in the style chosen, then in the others. */
  update() {
    const item = this.item;
    const painting = item?.seen(this.style) ?? null;
    const problem = item?.failures.get(this.style) ?? null;
    this.picker.show(item?.address ?? null, (style) => item?.seen(style)?.address ?? null);
    find("video-frame").hidden = item === null;
    if (item === null) return;
    const kept = painting?.kept?.address ?? null;
    this.compare.show({
      subject: this.file,
      photo: item.address,
      painted: painting?.address ?? null,
      kept,
      width: item.width,
      height: item.height,
      busy: problem ? `It cannot be painted: ${problem}` : painting ? null : "Painting this frame…",
      failed: problem !== null,
      draft: false,
    });
    this.#blend();
    this.#paintNext(item);
  }

  async #paintNext(item) {
    if (this.busy !== null || this.#runs()) return; // what runs calls update when it ends
    const styles = [this.style, ...this.picker.images.keys()];
    const style = styles.find((name) => !item.seen(name) && !item.failures.has(name));
    const keeps = find("video-keep").checked && item.seen(this.style) && item.seen(this.style).kept === null;
    if (style === undefined && !keeps) return;
    const busy = (this.busy = new AbortController());
    try {
      if (keeps) await item.keepColours(this.style);
      else item.take("drafts", style, await engine.draft(item.photo, style, { signal: busy.signal }));
    } catch (error) {
      if (error.name !== "AbortError") item.failures.set(style ?? this.style, error.message);
    }
    if (busy !== this.busy) return item.close();
    this.busy = null;
    this.update();
  }

  #blend() {
    const text = `${find("video-strength").value} %`;
    find("video-strength-value").textContent = text;
    find("video-strength").setAttribute("aria-valuetext", text);
    this.compare.blend(find("video-strength").value / 100, find("video-keep").checked ? 1 : 0);
    if (this.item && this.busy === null) this.#paintNext(this.item);
  }

  /** What is asked of the server. */
  #options() {
    const trims = this.clip.hasTimes;
    const [start, stop] = [find("video-start").value, find("video-stop").value].map(Number);
    return {
      style: this.style,
      strength: find("video-strength").value / 100,
      max_side: find("video-side").value,
      keep_colour: find("video-keep").checked,
      start: trims && start > 0 ? this.#time("video-start").toFixed(3) : "",
      stop: trims && stop < STEPS ? this.#time("video-stop").toFixed(3) : "",
    };
  }

  async start() {
    this.busy?.abort(); // the frame's other styles
    const options = this.#options();
    this.player.offset = Number(options.start);
    find("job-download").download = `${this.stem}-${options.style}.mp4`;
    this.upload = new AbortController();
    this.#open();
    try {
      this.job = await engine.videos.start(this.file, options, {
        signal: this.upload.signal,
        progress: (share) => this.#tell("Sending", `${Math.round(share * 100)} %`, share),
      });
      engine.videos.watch(
        this.job,
        (job) => this.#update(job),
        () => {
          this.job = null;
          this.#end("Not painted", "The server does not answer any more.");
        },
      );
    } catch (error) {
      if (error.name === "AbortError") this.#end("Cancelled", "");
      else this.#end("Not painted", `${error.message}.`);
    }
    this.upload = null;
  }

  #open() {
    find("video-form").hidden = find("video-part").hidden = true;
    find("video-job").hidden = false;
    for (const id of ["job-preview", "job-download", "job-back", "job-other"]) find(id).hidden = true;
    find("job-cancel").hidden = find("job-progress").hidden = false;
    this.#tell("Sending", "", 0);
    find("job-title").focus();
  }

  /** Say what happens; `share` null: nobody knows how long it takes. */
  #tell(title, sentence, share) {
    find("job-title").textContent = title;
    find("job-state").textContent = sentence;
    if (share === null) find("job-progress").removeAttribute("value");
    else find("job-progress").value = share;
  }

  #runs() {
    return this.upload !== null || ["queued", "preview", "painting"].includes(this.job?.state);
  }

  #update(job) {
    if (this.job === null) return; // cancelled here already
    this.job = job;
    if (job.preview !== null && job.state === "painting" && find("job-preview").hidden) {
      find("job-preview").querySelector("img").src = job.preview.slice(1);
      find("job-preview").hidden = false;
    }
    if (job.state === "queued") this.#tell("Waiting", "Another video is being painted.", null);
    else if (job.state === "preview") this.#tell("Painting", "First ten moments, to look at.", null);
    else if (job.state === "painting") this.#tell("Painting", progressOf(job), shareOf(job));
    else if (job.state === "done") this.#done(job);
    else if (job.state === "failed") this.#end("Not painted", `${job.error}.`);
    else this.#end("Cancelled", "");
  }

  #done(job) {
    const address = job.result.slice(1);
    const painted = this.watch.painted;
    painted.onloadedmetadata = () => this.#show(address, painted.videoWidth, painted.videoHeight);
    this.#show(address, 16, 9);
    find("job-download").href = address;
    find("job-download").hidden = false;
    find("job-preview").hidden = true;
    this.saved = false;
    this.#end("Done", [find("job-download").download, ...job.notes].join(". "));
  }

  /** Show the result over the video; where the browser cannot play that, the result alone. */
  #show(painted, width, height) {
    find("video-frame").hidden = true;
    find("video-result").hidden = false;
    const photo = this.clip.duration === null ? null : this.clip.address;
    this.watch.show({ subject: painted, photo, painted, kept: null, width, height, busy: null, failed: false, draft: false });
  }

  #end(title, sentence) {
    this.#tell(title, sentence, 0);
    find("job-cancel").hidden = find("job-progress").hidden = true;
    find("job-back").hidden = find("job-other").hidden = false;
  }

  async cancel() {
    this.upload?.abort();
    const job = this.job;
    this.job = null;
    this.#end("Cancelled", "");
    await this.#forget(job);
  }

  /** From a result, or from what failed, to the settings again. */
  #back() {
    const job = this.job;
    this.job = null;
    this.saved = true;
    this.player.stop();
    this.watch.show({ photo: null, painted: null, kept: null, width: 16, height: 9, busy: null, failed: false, draft: false });
    find("video-result").hidden = find("video-job").hidden = true;
    find("video-form").hidden = false;
    find("video-part").hidden = !this.clip.hasTimes;
    this.update();
    this.#forget(job);
  }

  async #forget(job) {
    if (job === null) return;
    try {
      await engine.videos.remove(job);
    } catch (error) {
      say(error.message);
    }
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
