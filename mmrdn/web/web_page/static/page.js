'use strict';
// Uploads a video, waits for its result, ties the timeline to the video.
const at = (id) => document.getElementById(id);
const limits = document.body.dataset;

function show(id, visible) {
  at(id).hidden = !visible;
}

function tell(message) {
  at('message').textContent = message;
  show('message', true);
}

function working(text, share) {
  at('doing').textContent = text;
  if (share === undefined) at('bar').removeAttribute('value');
  else at('bar').value = share;
}

function upload(file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();  // fetch tells no progress
    request.open('POST', limits.upload);
    request.responseType = 'json';
    request.upload.onprogress = (event) =>
      working('uploading ' + file.name, event.loaded / event.total);
    request.upload.onload = () => working('looking at ' + file.name);
    request.onload = () => {
      const answer = request.response || {};
      if (request.status === 202) resolve(answer.address);
      else reject(new Error(answer.message || 'the upload failed'));
    };
    request.onerror = () => reject(new Error('the upload broke off'));
    const form = new FormData();
    form.append('video', file);
    request.send(form);
  });
}

async function ask(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch (error) {
    throw new Error('the server does not answer any more');
  }
  const job = await answer.json();
  if (!answer.ok || job.state === 'failed') throw new Error(job.message);
  return job;
}

async function finished(address, name) {
  for (;;) {
    const job = await ask(address);
    if (job.state === 'done') return job;
    const of = job.num_frames ? ' of ' + job.num_frames : '';
    if (job.state === 'waiting') working(name + ' waits for its turn');
    else if (job.frames) {
      working(`frame ${job.frames}${of}`, job.num_frames ? job.frames / job.num_frames : undefined);
    } else working('detecting in ' + name);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

function moveHead(plot) {
  const video = at('video');
  const image = at('plot');
  const share = plot.left + (plot.right - plot.left) * Math.min(video.currentTime / plot.seconds, 1);
  at('playhead').style.left = image.offsetLeft + share * image.clientWidth + 'px';
}

function seek(plot, event) {
  const box = at('plot').getBoundingClientRect();
  const share = ((event.clientX - box.left) / box.width - plot.left) / (plot.right - plot.left);
  at('video').currentTime = Math.min(Math.max(share, 0), 1) * plot.seconds;
}

function present(job) {
  at('summary').textContent = job.message;
  at('video').src = at('get-video').href = job.files.annotated;
  at('plot').src = at('get-plot').href = job.files.timeline;
  at('get-json').href = job.files.detections;
  show('result', true);
  const move = () => moveHead(job.plot);
  const follow = () => {
    move();
    if (!at('video').paused) requestAnimationFrame(follow);
  };
  at('plot').onload = at('video').onseeking = window.onresize = move;
  at('video').onplay = follow;
  at('timeline').onclick = (event) => seek(job.plot, event);
  at('video').play().catch(() => {});  // some browsers want a click first
}

async function take(file) {
  show('message', false);
  show('result', false);
  at('video').removeAttribute('src');
  if (file.size > Number(limits.maxBytes)) return tell(limits.tooLarge);
  at('drop').classList.add('busy');
  at('file').disabled = true;
  show('work', true);
  try {
    working('uploading ' + file.name, 0);
    present(await finished(await upload(file), file.name));
  } catch (error) {
    tell(error.message);
  } finally {
    show('work', false);
    at('drop').classList.remove('busy');
    at('file').disabled = false;
    at('file').value = '';  // the same file may be chosen again
  }
}

at('file').onchange = () => at('file').files.length && take(at('file').files[0]);
for (const kind of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();  // the browser would open the file
    at('drop').classList.toggle('over', kind === 'dragover');
    const file = kind === 'drop' && event.dataTransfer.files[0];
    if (file && !at('file').disabled) take(file);
  });
}
