# Copyright (c) mmrdn contributors. All rights reserved.
"""One video of moving digits: objects, paths, and the look of each frame.

Shapes: H, W height and width of a frame in pixels, t time in frames. Nothing here depends on the
class of a digit but its ink: color, size, pace, path and degradations are drawn without looking at
the label.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mmrdn.datasets.moving_digits.config import MovingDigitsConfig
from mmrdn.datasets.moving_digits.track import DigitTrack, ink_box, make_glyph

LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # weights of B, G, R


class DigitScene:
    """One video of moving digits.

    Args:
        config (MovingDigitsConfig): Settings.
        rng (np.random.Generator): Source of everything random. Only the constructor uses it, so
            that ``render`` may be called in any order.
        num_frames (int): Length of the video.
        labels (Sequence[int]): Classes of the digits, as many as there may be; the first few are
            used.
        digits (dict): Digits to choose from: ``samples`` (n,) indices into load_digits(),
            ``labels`` (n,) and ``cells`` (n, 8, 8).
        photos (Sequence[np.ndarray]): (h, w, 3) BGR photographs to choose from, at least about 240
            pixels wide and high.
    """

    def __init__(
        self,
        config: MovingDigitsConfig,
        rng: np.random.Generator,
        num_frames: int,
        labels: Sequence[int],
        digits: dict[str, np.ndarray],
        photos: Sequence[np.ndarray],
    ) -> None:
        self.config = config
        self.frame = (config.width, config.height)
        self.num_frames = num_frames
        self._rng = rng
        self._photo = photos[rng.integers(len(photos))]
        self._sample_background()
        self.tracks: list[DigitTrack] = []
        count = rng.integers(*config.num_digits, endpoint=True)
        for label in labels[:count]:
            self.tracks.append(self._sample_track(int(label), digits))
        for track in self.tracks:
            track.color = self._sample_color(track)
            track.episodes = self._sample_episodes()
        self.decoy = self._sample_decoy()
        self._noise_seeds = rng.integers(2**63, size=num_frames)

    # Random choices.

    def _sample_background(self) -> None:
        rng, size = self._rng, np.array(self.frame)
        height, width = self._photo.shape[:2]
        angle = rng.uniform(0, 2 * np.pi)
        drift = _direction(angle)
        drift *= rng.uniform(0, self.config.camera_speed)
        travel = np.abs(drift) * self.num_frames
        room = np.array([width, height]) - 2
        most = float(np.min(room / (size + travel)))
        zoom = rng.uniform(min(0.7, most), min(1.3, most))
        free = np.maximum(room - zoom * (size + travel), 0)
        first = rng.uniform(0, 1, 2) * free
        first += np.where(drift < 0, zoom * travel, 0)
        if rng.random() < 0.5:
            self._photo = np.ascontiguousarray(self._photo[:, ::-1])
        self._view = (zoom, first, drift * zoom)
        self._gray = np.float32(self._photo[::4, ::4].mean())

    def _sample_track(self, label: int, digits: dict[str, np.ndarray]) -> DigitTrack:
        config, rng = self.config, self._rng
        chosen = int(rng.choice(np.flatnonzero(digits['labels'] == label)))
        pace = int(rng.integers(3))
        low, high = (config.slow_speed, config.medium_speed, config.fast_speed)[pace]
        speed, size = rng.uniform(low, high), rng.uniform(*config.size)
        angle = rng.uniform(0, 2 * np.pi)
        leaves = pace == 2 and rng.random() < config.leave_prob
        margin = -0.45 * size if leaves else 0.55 * size
        for _ in range(21):  # apart from the others at first, if there's room
            start = rng.uniform(0.55 * size, np.array(self.frame) - 0.55 * size)
            gaps = [np.abs(start - t.start).max() - (size + t.size) / 2 for t in self.tracks]
            if min(gaps, default=0) >= 0:
                break
        velocity = speed * _direction(angle)
        if leaves:  # by the shortest way
            velocity = np.copysign(velocity, start - np.array(self.frame) / 2)
            start = start + velocity * rng.uniform(0, 20)  # maybe outside
        wave = (
            config.size_change * (0.04, 0.4, 1.0)[pace] * rng.random(),
            rng.uniform(0.15, 0.5),
            rng.uniform(0, 2 * np.pi),
        )
        return DigitTrack(
            label=label,
            glyph=make_glyph(digits['cells'][chosen]),
            size=size,
            start=start,
            velocity=velocity,
            margin=margin,
            tilt=rng.uniform(-config.max_tilt, config.max_tilt),
            size_wave=wave,
        )

    def _sample_color(self, track: DigitTrack) -> np.ndarray:
        """Return a color (3,) BGR that stands out from the background along the path."""
        luma = []
        for t in (0, self.num_frames // 2, self.num_frames - 1):
            x, y = track.position(t, self.frame)
            half = track.size / 2
            patch = self.background(t)[
                max(int(y - half), 0) : int(y + half) + 1, max(int(x - half), 0) : int(x + half) + 1
            ]
            if patch.size:
                luma.append(float(patch.reshape(-1, 3).mean(0) @ LUMA))
        luma = np.array(luma if luma else [128.0])
        tries = self._rng.uniform(0, 255, (64, 3))  # BGR
        contrast = np.abs((tries @ LUMA)[:, None] - luma).min(1)  # (64,)
        good = np.flatnonzero(contrast >= self.config.min_contrast)
        return tries[good[0] if len(good) else contrast.argmax()]

    def _sample_episodes(self) -> list[dict]:
        config, rng = self.config, self._rng
        episodes: list[dict] = []
        if not config.degradations:
            return episodes
        t = -int(rng.integers(config.degraded_frames[1] + config.clean_frames[1]))
        while t < self.num_frames:
            length = int(rng.integers(*config.degraded_frames, endpoint=True))
            episode: dict = dict(first=t, last=t + length - 1)
            names = [str(n) for n in rng.permutation(config.degradations)]
            # A faded digit with anything more would be lost altogether.
            single = 'low_contrast' in names[:2]
            single |= rng.random() >= config.second_prob
            for name in names[:1] if single else names[:2]:
                episode[name] = rng.uniform(*getattr(config, name))
            episode['angle'] = rng.uniform(0, 2 * np.pi)
            episode['patch'] = self._sample_patch()
            episodes.append(episode)
            t += length + int(rng.integers(*config.clean_frames, endpoint=True))
        return episodes

    def _sample_patch(self) -> np.ndarray:
        """Return an occluder, (64, 64, 3) BGR, flat or textured."""
        rng = self._rng
        if rng.random() < 0.5:
            return np.broadcast_to(rng.uniform(0, 255, 3), (64, 64, 3)).astype(np.float32)
        height, width = self._photo.shape[:2]
        y, x = rng.integers(height - 64), rng.integers(width - 64)
        return self._tone(self._photo[y : y + 64, x : x + 64])

    def _sample_decoy(self) -> dict:
        """Return a patch that follows no digit; maybe none."""
        config, rng = self.config, self._rng
        if 'occlusion' not in config.degradations or rng.random() >= config.decoy_prob:
            return {}
        angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0, 3)
        velocity = speed * _direction(angle)
        return dict(
            start=rng.uniform(0, np.array(self.frame)),
            velocity=velocity,
            side=rng.uniform(*config.size) * rng.uniform(*config.occlusion),
            patch=self._sample_patch(),
        )

    # Drawing.

    def background(self, t: float) -> np.ndarray:
        """Return the photograph alone, (H, W, 3) float32 BGR, at time t."""
        zoom, first, drift = self._view
        x, y = first + drift * t
        view = np.array([[zoom, 0, x], [0, zoom, y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return self._tone(cv2.warpAffine(self._photo, view, self.frame, flags=flags, borderMode=cv2.BORDER_REFLECT))

    def _tone(self, photo: np.ndarray) -> np.ndarray:
        """Return a part of the photograph with lower contrast, float32."""
        contrast = np.float32(self.config.background_contrast)
        return self._gray + contrast * (photo.astype(np.float32) - self._gray)

    def _soften(self, track: DigitTrack, t: int, episode: dict) -> np.ndarray:
        """Return the opacity (H, W) of a digit after blur, defocus and fading."""
        size = track.scale(t) * track.ink_height
        angle = episode.get('angle', 0.0)
        shake = episode.get('motion_blur', 0.0) * size * _direction(angle)
        reach = np.linalg.norm(shake) + self.config.exposure * np.linalg.norm(track.velocity)
        count = 2 * int(np.round(reach / 5)) + 1  # 2.5 pixels apart
        total = np.zeros(self.frame[::-1], np.float32)
        for part in (np.arange(count) + 0.5) / count - 0.5:
            moment = t + part * self.config.exposure
            center = track.position(moment, self.frame) + part * shake
            total += track.draw(center, track.scale(t), self.frame)
        total /= count
        if 'defocus' in episode:
            sigma = episode['defocus'] * size
            total = cv2.GaussianBlur(total, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return total * np.float32(episode.get('low_contrast', 1.0))

    def _paste(
        self, image: np.ndarray, shown: list[np.ndarray], patch: np.ndarray, center: np.ndarray, side: float
    ) -> None:
        """Draw an opaque square onto the image and remove the ink under it."""
        x1, y1 = (int(round(c - side / 2)) for c in center)
        side = max(int(round(side)), 1)
        tile = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
        left, top = max(x1, 0), max(y1, 0)
        right = min(x1 + side, self.frame[0])
        bottom = min(y1 + side, self.frame[1])
        if left >= right or top >= bottom:
            return
        image[top:bottom, left:right] = tile[top - y1 : bottom - y1, left - x1 : right - x1]
        for opacity in shown:
            opacity[top:bottom, left:right] = 0

    def render(self, t: int) -> tuple[np.ndarray, list[dict]]:
        """Draw frame t.

        Args:
            t (int): Index of the frame.

        Returns:
            tuple[np.ndarray, list[dict]]: The frame (H, W, 3) uint8 BGR, and for each annotated
            digit ``track`` (index), ``label``, ``bbox`` (inclusive pixels x1, y1, x2, y2 of the
            sharp ink in the frame), ``occluded`` and ``degraded`` (names of the degradations).
        """
        image = self.background(t)
        clean, shown = [], []  # (H, W) each: sharp ink, ink not hidden
        for track in self.tracks:
            sharp = track.draw(track.position(t, self.frame), track.scale(t), self.frame)
            soft = self._soften(track, t, track.episode(t))[..., None]
            image += soft * (track.color.astype(np.float32) - image)
            for opacity in shown:
                opacity *= 1 - soft[..., 0]
            clean.append(sharp)
            shown.append(sharp.copy())
        for track in self.tracks:
            episode = track.episode(t)
            if 'occlusion' in episode:
                size = track.scale(t) * track.ink_height
                length = episode['last'] - episode['first'] + 1
                passed = (t - episode['first'] + 0.5) / length - 0.5
                center = track.position(t, self.frame) + _direction(episode['angle']) * passed * 0.5 * size
                self._paste(image, shown, episode['patch'], center, episode['occlusion'] * size)
        if self.decoy:
            center = self.decoy['start'] + self.decoy['velocity'] * t
            self._paste(image, shown, self.decoy['patch'], center, self.decoy['side'])
        if self.config.noise_std > 0:
            noise = np.random.default_rng(self._noise_seeds[t])
            image += self.config.noise_std * noise.standard_normal(image.shape, np.float32)
        image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        return image, self._annotate(t, clean, shown)

    def _annotate(self, t: int, clean: list[np.ndarray], shown: list[np.ndarray]) -> list[dict]:
        objects = []
        for index, track in enumerate(self.tracks):
            inside = float(clean[index].sum())
            whole = float(track.glyph.sum()) * track.scale(t) ** 2
            box = ink_box(clean[index])
            if inside < self.config.min_visible * whole or box[2] - box[0] < 2 or box[3] - box[1] < 2:
                continue
            episode = track.episode(t)
            objects.append(
                dict(
                    track=index,
                    label=track.label,
                    bbox=box,
                    occluded=bool(shown[index].sum() < 0.7 * inside),
                    degraded=tuple(n for n in self.config.degradations if n in episode),
                )
            )
        return objects


def _direction(angle: float) -> np.ndarray:
    """Return the unit vector (2,) of an angle in radians."""
    return np.array([np.cos(angle), np.sin(angle)])
