// Calls to a worker: a message out, a promise for the message that answers it.

export class Calls {
  constructor(worker) {
    this.worker = worker;
    this.waiting = new Map();
    this.next = 0;
    worker.addEventListener("message", ({ data }) => {
      const call = this.waiting.get(data.id);
      if (data.share !== undefined) {
        call?.progress?.(data.share, data.part);
        return;
      }
      this.waiting.delete(data.id);
      if (data.error !== undefined) call.reject(new Error(data.error));
      else call.resolve(data);
    });
    worker.addEventListener("error", (event) => {
      for (const call of this.waiting.values()) {
        call.reject(new Error(event.message || "a worker could not be loaded"));
      }
      this.waiting.clear();
    });
  }

  /** Send a message; aborting the signal sends {id, stop: true} and rejects at once. */
  call(message, { transfer = [], signal, progress } = {}) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, progress });
      signal?.addEventListener("abort", () => {
        this.worker.postMessage({ id, stop: true });
        reject(signal.reason);
      });
      this.worker.postMessage({ ...message, id }, transfer);
    });
  }
}
