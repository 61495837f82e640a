// Paints by asking the server this page comes from. See engine.js.

import { blender } from "./blender.js";

const LOGIN = `
  <dialog id="login" aria-labelledby="login-title">
    <form method="dialog" id="login-form">
      <h2 id="login-title">Token</h2>
      <p>This server asks for a token. Whoever started it has it.</p>
      <label for="token">Token</label>
      <input id="token" type="password" autocomplete="current-password" required>
      <p id="login-error" role="alert"></p>
      <button class="primary" type="submit">Enter</button>
    </form>
  </dialog>`;

document.body.insertAdjacentHTML("beforeend", LOGIN);
const dialog = document.getElementById("login");

/** fetch, and an Error with the server's own sentence when it refuses. */
export async function ask(address, options = {}) {
  const answer = await fetch(address, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Error("the server does not answer");
  });
  if (answer.status === 401) {
    await logIn();
    return ask(address, options);
  }
  if (answer.status === 429) {
    await pause(Number(answer.headers.get("Retry-After") ?? 1), options.signal);
    return ask(address, options);
  }
  if (!answer.ok) throw new Error(await sentenceOf(answer));
  return answer;
}

async function sentenceOf(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return `the server answered ${answer.status}`;
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

const small = new WeakMap(); // photo -> promise of it at its working size

let loggingIn = null;

/** Ask for the token, once, however many requests want it. */
function logIn() {
  loggingIn ??= new Promise((resolve) => {
    const error = document.getElementById("login-error");
    const field = document.getElementById("token");
    document.getElementById("login-form").onsubmit = async (event) => {
      event.preventDefault();
      if (await show(field.value)) {
        dialog.close();
        loggingIn = null;
        resolve();
      } else {
        error.textContent = "This is not the token.";
        field.select();
      }
    };
    dialog.oncancel = (event) => event.preventDefault();
    dialog.showModal();
  });
  return loggingIn;
}

/** Turn the token into a cookie; false if it is wrong. */
async function show(token) {
  if (!/^[\x21-\x7e]+$/.test(token)) return false; // no token has such characters, nor may a header
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch("api/session", { method: "POST", headers })).ok;
}

function question(entries) {
  const set = Object.entries(entries).filter(([, value]) => value !== "" && value !== undefined);
  return new URLSearchParams(set).toString();
}

export const engine = {
  label: "Painted by this server",
  privacy: "Your pictures go to this server and nowhere else.",

  async begin() {
    // Takes photos that a phone's gallery shares to this page, where it may (https, or this machine).
    navigator.serviceWorker?.register("sw.js").catch((error) => console.warn(error.message));
    const secret = location.hash.match(/^#token=(.+)$/);
    if (secret === null) return;
    await show(decodeURIComponent(secret[1]));
    history.replaceState(null, "", location.pathname);
  },

  async styles() {
    return (await (await ask("api/styles")).json()).styles;
  },

  async draft(file, style, { signal } = {}) {
    if (!small.has(file)) small.set(file, blender.call({ task: "shrink", photo: file }));
    return engine.paint((await small.get(file)).blob, style, { signal });
  },

  async paint(file, style, { signal } = {}) {
    const address = `api/paint?${question({ style, format: "png" })}`;
    return (await ask(address, { method: "POST", body: file, signal })).blob();
  },

  async paintFrame(canvas, style) {
    const frame = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
    const address = `api/paint?${question({ style, format: "jpg" })}`;
    return createImageBitmap(await (await ask(address, { method: "POST", body: frame })).blob());
  },

  async viewable(file) {
    try {
      (await createImageBitmap(file)).close();
      return file;
    } catch {
      // HEIC, TIFF: strength 0 is the photo itself.
      const address = `api/paint?${question({ strength: 0, format: "png" })}`;
      return (await ask(address, { method: "POST", body: file })).blob();
    }
  },

  videos: {
    /** Upload a video; `progress` hears the share that is sent. Returns the job. */
    start(file, options, { signal, progress }) {
      return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest(); // fetch does not tell how much is sent
        request.open("POST", `api/videos?${question(options)}`);
        request.responseType = "json";
        request.upload.onprogress = (event) => progress(event.loaded / event.total);
        request.onerror = () => reject(new Error("the server does not answer"));
        request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
        request.onload = () => {
          if (request.status === 202) resolve(request.response);
          else reject(new Error(request.response?.error ?? `the server answered ${request.status}`));
        };
        signal.addEventListener("abort", () => request.abort());
        request.send(file);
      });
    },

    /** Call `change` with the job whenever it changes, until it has ended. */
    watch(job, change, lost) {
      const events = new EventSource(`api/jobs/${job.id}/events`);
      events.onmessage = (event) => {
        const now = JSON.parse(event.data);
        if (["done", "failed", "cancelled"].includes(now.state)) events.close();
        change(now);
      };
      events.onerror = () => {
        events.close();
        lost();
      };
    },

    async remove(job) {
      await ask(`api/jobs/${job.id}`, { method: "DELETE" });
    },
  },
};
