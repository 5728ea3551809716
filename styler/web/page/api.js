// What the page asks the server: every request has the key of the address, and pictures come as blobs.

const key = location.hash.slice(1);

async function ask(path, options = {}) {
  const headers = { "X-Styler-Token": key, ...options.headers };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("styler web does not answer: is it still running?");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.message || `the server said ${answer.status}`);
  }
  return answer;
}

export const offers = async () => (await ask("/api/offers")).json();
export const recipe = async (id) => (await ask(`/api/jobs/${id}/recipe`)).json();
export const stop = (id) => ask(`/api/jobs/${id}`, { method: "DELETE" });
export const blob = async (path) => (await ask(path)).blob();
export const image = async (path) => URL.createObjectURL(await blob(path));

export async function upload(file, name = file.name) {
  const headers = { "X-Name": encodeURIComponent(name || "picture"), "Content-Type": "application/octet-stream" };
  return (await ask("/api/pictures", { method: "POST", body: file, headers })).json();
}

export async function order(wish) {
  const headers = { "Content-Type": "application/json" };
  return (await (await ask("/api/jobs", { method: "POST", body: JSON.stringify(wish), headers })).json()).id;
}

// Server-sent events by fetch, which can send the key; goes on after the last one when the connection breaks.
export async function listen(heard, lost) {
  let last = "0";
  for (;;) {
    try {
      const answer = await ask("/api/events", { headers: { "Last-Event-ID": last } });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const events = text.split("\n\n");
        text = events.pop();
        for (const event of events) {
          const id = /^id: (\d+)$/m.exec(event), data = /^data: (.*)$/m.exec(event);
          if (id) last = id[1];
          if (data) heard(JSON.parse(data[1]));
        }
      }
    } catch (error) {
      lost(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}

export function save(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
