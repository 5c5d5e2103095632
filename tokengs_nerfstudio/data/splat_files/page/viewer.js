"use strict";
// Draws the splats of this page with the library above, which the page's writer put in beside the data.
(() => {
  const { Camera, Color32, OrbitControls, Quaternion, Scene, Splat, SplatData, Vector3, WebGLRenderer } = GSPLAT;
  const PLANES = 23; // bytes of a Gaussian: 3 x 3 of the mean, 3 x 2 of the scales, 4 of the quaternion, 4 of colours
  const FEWEST = 1024; // splats in a scene
  const FLY_SPEED = 2; // units a second; what the page opens at is 5 away
  const LOOK_SPEED = 0.003; // radians a pixel
  const SECONDS_PLAYED = 5; // from the first time to the last
  const at = (id) => document.getElementById(id);
  const info = JSON.parse(at("scene").textContent);

  async function unpacked() {
    const packed = Uint8Array.from(atob(at("splats").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** Numbers whose `bytes` upper bytes are in planes of `count` each, from plane `first` on. */
  function floats(planes, count, first, bytes) {
    const whole = new Uint32Array(count);
    for (let byte = 0; byte < bytes; byte++) {
      const plane = planes.subarray((first + byte) * count, (first + byte + 1) * count);
      for (let i = 0; i < count; i++) whole[i] |= plane[i] << (24 - 8 * byte);
    }
    return new Float32Array(whole.buffer);
  }

  function decoded(planes, count) {
    const state = {
      positions: new Float32Array(3 * count), scales: new Float32Array(3 * count),
      rotations: new Float32Array(4 * count), colors: new Uint8Array(4 * count),
    };
    for (let axis = 0; axis < 3; axis++) {
      const means = floats(planes, count, 3 * axis, 3), scales = floats(planes, count, 9 + 2 * axis, 2);
      for (let i = 0; i < count; i++) {
        state.positions[3 * i + axis] = means[i];
        state.scales[3 * i + axis] = scales[i];
      }
    }
    for (let part = 0; part < 4; part++)
      for (let i = 0; i < count; i++) {
        state.rotations[4 * i + part] = planes[(15 + part) * count + i] - 128;
        state.colors[4 * i + part] = planes[(19 + part) * count + i];
      }
    normalise(state.rotations);
    return state;
  }

  function normalise(quaternions) {
    for (let i = 0; i < quaternions.length; i += 4) {
      const length = Math.hypot(quaternions[i], quaternions[i + 1], quaternions[i + 2], quaternions[i + 3]) || 1;
      for (let part = 0; part < 4; part++) quaternions[i + part] /= length;
    }
  }

  /** The states of what moves: bytes of each plane, time after time, each time less the one before. */
  function decodedStates(bytes, count, times) {
    const states = Array.from({ length: times }, () => new Uint8Array(PLANES * count));
    for (let plane = 0; plane < PLANES; plane++)
      for (let time = 0; time < times; time++)
        for (let i = 0; i < count; i++) {
          const before = time > 0 ? states[time - 1][plane * count + i] : 0;
          states[time][plane * count + i] = before + bytes[(plane * times + time) * count + i];
        }
    return states.map((planes) => decoded(planes, count));
  }

  const asSplat = (state, count) =>
    new Splat(new SplatData(count, state.positions.slice(), state.rotations.slice(), state.scales.slice(),
      state.colors.slice()));

  /** So many splats that nobody sees. */
  function unseen(count) {
    const state = decoded(new Uint8Array(PLANES * count), count);
    return asSplat(state, count);
  }

  /** What moves, shown as between the two neighbours of a time. */
  class Moving {
    constructor(states, count) {
      this.states = states;
      this.splat = asSplat(states[0], count);
      this.shown = this.wanted = info.times[0];
    }

    update(renderer) {
      const data = this.splat.data, drawn = renderer.renderProgram.renderData;
      if (this.shown === this.wanted || data.detached || !drawn) return;
      const times = info.times;
      let after = times.findIndex((time) => time >= this.wanted);
      after = Math.max(1, after < 0 ? times.length - 1 : after);
      const share = Math.min(1, Math.max(0, (this.wanted - times[after - 1]) / (times[after] - times[after - 1])));
      const before = this.states[after - 1], next = this.states[after];
      for (const name of ["positions", "rotations", "scales", "colors"]) {
        const to = data[name], a = before[name], b = next[name], half = name === "colors" ? 0.5 : 0;
        for (let i = 0; i < to.length; i++) to[i] = a[i] + share * (b[i] - a[i]) + half;
      }
      normalise(data.rotations);
      data.changed = true;
      drawn.markDirty(this.splat);
      this.shown = this.wanted;
    }
  }

  const turned = (pitch, yaw) => Quaternion.FromEuler(new Vector3(pitch, yaw, 0));
  const ahead = (pitch, yaw) =>
    new Vector3(Math.sin(yaw) * Math.cos(pitch), -Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));

  /** Look round by dragging, move by W A S D, E and Q or by the wheel. */
  class FlyControls {
    constructor(camera, canvas) {
      const direction = camera.forward;
      this.camera = camera;
      this.pitch = Math.asin(Math.min(1, Math.max(-1, -direction.y)));
      this.yaw = Math.atan2(direction.x, direction.z);
      this.keys = new Set();
      this.last = performance.now();
      this.ending = new AbortController();
      const listen = (target, name, action) =>
        target.addEventListener(name, action, { signal: this.ending.signal, passive: false });
      listen(window, "keydown", (event) => this.keys.add(event.code));
      listen(window, "keyup", (event) => this.keys.delete(event.code));
      listen(window, "blur", () => this.keys.clear());
      listen(canvas, "pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
      listen(canvas, "pointermove", (event) => {
        if (event.buttons) this.look(event.movementX, event.movementY);
      });
      listen(canvas, "wheel", (event) => {
        event.preventDefault();
        this.move(ahead(this.pitch, this.yaw).multiply(-event.deltaY / 400));
      });
      listen(canvas, "contextmenu", (event) => event.preventDefault());
    }

    look(right, down) {
      this.yaw -= right * LOOK_SPEED;
      this.pitch = Math.min(Math.PI / 2, Math.max(-Math.PI / 2, this.pitch + down * LOOK_SPEED));
    }

    move(by) {
      this.camera.position = this.camera.position.add(by);
    }

    update() {
      const now = performance.now(), seconds = Math.min(0.1, (now - this.last) / 1000);
      this.last = now;
      const pressed = (...codes) => (codes.some((code) => this.keys.has(code)) ? 1 : 0);
      const forward = pressed("KeyW", "ArrowUp") - pressed("KeyS", "ArrowDown");
      const right = pressed("KeyD", "ArrowRight") - pressed("KeyA", "ArrowLeft");
      const up = pressed("KeyE") - pressed("KeyQ");
      const step = FLY_SPEED * seconds * (pressed("ShiftLeft", "ShiftRight") ? 4 : 1);
      const sideways = new Vector3(Math.cos(this.yaw), 0, -Math.sin(this.yaw));
      if (forward || right || up)
        this.move(ahead(this.pitch, this.yaw).multiply(forward * step).add(sideways.multiply(right * step))
          .add(new Vector3(0, -up * step, 0)));
      this.camera.rotation = turned(this.pitch, this.yaw);
    }

    dispose() {
      this.ending.abort();
    }
  }

  const HELP = {
    orbit: "drag: turn, right or two fingers: shift, wheel or pinch: nearer",
    fly: "drag: look round, W A S D: move, E Q: up, down, Shift: faster",
  };

  /** Orbit or fly, and the way between the two. */
  class Steering {
    constructor(camera, canvas) {
      this.camera = camera;
      this.canvas = canvas;
      this.home();
      at("mode").onclick = () => this.change(this.mode === "orbit" ? "fly" : "orbit");
      at("home").onclick = () => this.home();
    }

    home() {
      const { alpha, beta, radius, target } = info.opening;
      this.orbit(alpha, beta, radius, new Vector3(...target));
    }

    orbit(alpha, beta, radius, target) {
      this.controls?.dispose();
      this.controls = new OrbitControls(this.camera, this.canvas, alpha, beta, radius, true, target);
      this.controls.minZoom = 0.05;
      this.controls.maxZoom = 100;
      this.called("orbit");
    }

    change(mode) {
      if (mode === "fly") {
        this.controls.dispose();
        this.controls = new FlyControls(this.camera, this.canvas);
        this.called("fly");
      } else {
        const direction = this.camera.forward, radius = info.opening.radius;
        const target = this.camera.position.add(direction.multiply(radius));
        this.orbit(Math.atan2(-direction.x, direction.z), Math.asin(direction.y), radius, target);
      }
    }

    called(mode) {
      this.mode = mode;
      at("mode").textContent = mode === "orbit" ? "Fly" : "Orbit";
      at("help").textContent = HELP[mode];
    }
  }

  function timeBar(moving) {
    const bar = at("time"), button = at("play");
    const first = info.times[0], span = info.times[info.times.length - 1] - first;
    let started = null;
    bar.hidden = button.hidden = false;
    [bar.min, bar.max, bar.value] = [first, first + span, first];
    bar.oninput = () => {
      started = null;
      button.textContent = "Play";
      moving.wanted = Number(bar.value);
    };
    button.onclick = () => {
      started = started === null ? performance.now() - (1000 * SECONDS_PLAYED * (moving.wanted - first)) / span : null;
      button.textContent = started === null ? "Play" : "Stop";
    };
    return () => {
      if (started === null) return;
      moving.wanted = first + span * (((performance.now() - started) / (1000 * SECONDS_PLAYED)) % 1);
      bar.value = moving.wanted;
    };
  }

  function sized(renderer, camera, canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(innerWidth * ratio), height = Math.round(innerHeight * ratio);
    const focal = Math.min(info.focal[0] * width, info.focal[1] * height); // the whole photo fits into the window
    if (canvas.width === width && canvas.height === height && camera.data.fx === focal) return;
    camera.data.fx = camera.data.fy = focal;
    renderer.setSize(width, height);
    const gl = renderer.gl;
    const program = gl.getParameter(gl.CURRENT_PROGRAM);
    if (program) gl.uniform2f(gl.getUniformLocation(program, "focal"), focal, focal);
  }

  async function main() {
    const canvas = at("view");
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("this browser has no WebGL 2");
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is older than 2023");
    const bytes = await unpacked();
    const scene = new Scene(), camera = new Camera(), renderer = new WebGLRenderer(canvas, []);
    renderer.backgroundColor = new Color32(...info.background);
    [camera.data.near, camera.data.far] = info.planes;
    if (info.still > 0) scene.addObject(asSplat(decoded(bytes, info.still), info.still));
    let moving = null, played = () => {};
    if (info.moving > 0) {
      moving = new Moving(decodedStates(bytes.subarray(PLANES * info.still), info.moving, info.times.length), info.moving);
      scene.addObject(moving.splat);
      played = timeBar(moving);
    }
    // The library's sorter writes past its memory where there are fewer than 513, and draws them in any order.
    if (info.still + info.moving < FEWEST) scene.addObject(unseen(FEWEST));
    const steering = new Steering(camera, canvas);
    window.addEventListener("keydown", (event) => {
      const button = { KeyM: "mode", KeyH: "home", KeyP: "play" }[event.code];
      if (button && !event.repeat) at(button).click();
    });
    const frame = () => {
      played();
      steering.controls.update();
      moving?.update(renderer);
      sized(renderer, camera, canvas);
      renderer.render(scene, camera);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    // For whoever drives the page by script, and for the tests of its writer.
    window.viewer = {
      get ready() { return renderer.renderProgram.depthIndex.length > 0; },
      get busy() { return moving !== null && (moving.shown !== moving.wanted || moving.splat.data.detached); },
      get mode() { return steering.mode; },
      get pose() { return { position: camera.position.flat(), rotation: camera.rotation.flat(), focal: camera.data.fx }; },
      show(time) { if (moving) { moving.wanted = time; at("time").value = time; } },
    };
  }

  main().catch((error) => {
    at("trouble").textContent = `This scene cannot be shown: ${error.message}`;
    at("trouble").hidden = false;
  });
})();
