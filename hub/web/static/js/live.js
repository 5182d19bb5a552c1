// Live updates. A browser gives a host six connections over HTTP/1.1 and each stream takes one, so of all tabs only
// the one that holds the lock listens, and tells the others.

const QUIET_MS = 45_000;
const AGAIN_MS = 3_000;

export function follow(onUpdate, onState) {
  if (!navigator.locks) {
    listen(onUpdate, onState);
    return;
  }
  const channel = new BroadcastChannel("diwang-live");
  channel.onmessage = ({ data }) => (data.state ? onState(data.state) : data.ask ? null : onUpdate(data.update));
  navigator.locks.request("diwang-live", () => {
    let state = "connecting";
    channel.onmessage = ({ data }) => data.ask && channel.postMessage({ state });
    listen(
      (update) => {
        channel.postMessage({ update });
        onUpdate(update);
      },
      (now) => {
        state = now;
        channel.postMessage({ state });
        onState(now);
      },
    );
    return new Promise(() => {}); // held until the tab closes
  });
  channel.postMessage({ ask: true });
}

function listen(onUpdate, onState) {
  let lastId = null;
  let source = null;
  let watchdog = null;

  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(again, QUIET_MS);
  };
  const again = () => {
    source.close();
    onState("lost");
    setTimeout(open, AGAIN_MS);
  };
  const open = () => {
    source = new EventSource(`/api/v1/stream${lastId === null ? "" : `?after=${lastId}`}`);
    alive();
    source.onopen = () => {
      onState("live");
      alive();
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(watchdog);
        again();
      } else {
        onState("lost");
      }
    };
    for (const kind of ["hello", "resync", "alert", "anomaly", "position", "device", "gateway", "task", "enrolment", "certificate", "config"]) {
      source.addEventListener(kind, ({ data, lastEventId }) => {
        lastId = lastEventId || lastId;
        alive();
        onUpdate({ kind, data: data ? JSON.parse(data) : null });
      });
    }
  };
  open();
}
