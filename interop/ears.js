// Runs in the page before its own scripts: gives every remote audio track an analyser, so that the driver can ask
// what the browser decoded, whatever the page does with it.
(() => {
  const Native = window.RTCPeerConnection;
  const ears = [];
  const peers = [];
  class Listening extends Native {
    constructor(...args) {
      super(...args);
      peers.push(this);
      this.addEventListener("track", (event) => {
        if (event.track.kind !== "audio") return;
        const stream = new MediaStream([event.track]);
        // Chromium only pulls remote audio that some element plays.
        const sink = new Audio();
        sink.srcObject = stream;
        sink.muted = true;
        sink.play().catch(() => {});
        const context = new AudioContext({ sampleRate: 48000 });
        const analyser = context.createAnalyser();
        analyser.fftSize = 32768;
        analyser.smoothingTimeConstant = 0.5;
        context.createMediaStreamSource(stream).connect(analyser);
        context.resume();
        ears.push({ context, analyser, sink });
      });
    }
  }
  window.RTCPeerConnection = Listening;
  window.antiphonInterop = {
    states: () => peers.map((peer) => peer.connectionState),
    // The strongest lines as [hertz, decibels], strongest first.
    peaks(most = 6) {
      const found = [];
      for (const { context, analyser } of ears) {
        const levels = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(levels);
        const width = context.sampleRate / analyser.fftSize;
        const lines = Array.from(levels, (level, bin) => [bin * width, level])
          .filter(([hertz, level]) => hertz >= 150 && hertz <= 2500 && level > -55)
          .sort((a, b) => b[1] - a[1]);
        for (const line of lines) {
          if (found.length < most && found.every(([hertz]) => Math.abs(hertz - line[0]) > 24)) found.push(line);
        }
      }
      return found;
    },
    async inbound() {
      const out = [];
      for (const peer of peers) {
        for (const report of (await peer.getStats()).values()) {
          if (report.type === "inbound-rtp") {
            out.push({ packets: report.packetsReceived, lost: report.packetsLost, concealed: report.concealedSamples });
          }
        }
      }
      return out;
    },
  };
})();
