/** The other tabs of this owner, as one worker hears and tells them: what they write, what they wish, and what the uploading one shows. */
import type { Deletions } from './deletions';
import type { Files } from './files';
import type { Inventory } from './inventory';
import { TabChannel } from './locks';
import type { BetweenTabs, FromWorker, Standing } from './spool-protocol';
import type { Uploading } from './uploading';
import type { Writing } from './writing';

/** The worker around it. */
export interface NeighboursHost {
  readonly inventory: Inventory;
  readonly writing: Writing;
  readonly files: Files;
  readonly deletions: Deletions;
  /** The uploading in this worker; null while another tab uploads. */
  uploading(): Uploading | null;
  standing(): Standing;
  /** The uploading tab told how things stand. */
  heard(standing: Standing): void;
  limitUploads(perSecond: number | null): void;
  tell(message: FromWorker): void;
  updateSoon(): void;
}

export class Neighbours {
  readonly #host: NeighboursHost;
  readonly #channel: TabChannel;
  #standing: Standing | null = null;

  constructor(owner: string, host: NeighboursHost) {
    this.#host = host;
    this.#channel = new TabChannel(owner, (message) => this.#onMessage(message));
  }

  /** What the uploading tab said last; null before that. */
  get standing(): Standing | null {
    return this.#standing;
  }

  send(message: BetweenTabs): void {
    this.#channel.send(message);
  }

  close(): void {
    this.#channel.close();
  }

  /** This tab freed what was kept: until the uploading one says so, too, it is known here. */
  keptFreed(): void {
    this.send({ type: 'kept_freed' });
    if (this.#standing) this.#standing = { ...this.#standing, kept: { chunks: 0, bytes: 0 } };
  }

  #onMessage(message: BetweenTabs): void {
    switch (message.type) {
      case 'who':
        for (const recording of this.#host.writing.recordings()) {
          this.send({ type: 'writing', facts: recording.facts, seals: [...recording.seals] });
        }
        this.#host.files.announce();
        if (this.#host.uploading())
          this.send({
            type: 'changes',
            recordings: this.#host.inventory.takeDeltas(true),
            standing: this.#host.standing(),
          });
        return;
      case 'writing':
        this.#host.uploading()?.writing(message.facts, message.seals, false);
        return;
      case 'sealed':
        this.#host.uploading()?.sealed(message.id, message.seal);
        return;
      case 'ended':
        this.#host.uploading()?.ended(message.id, message.end);
        return;
      case 'source':
        this.#host.files.given.take(message.id, message.file);
        return;
      case 'source_lost':
        void this.#host.files.sourceLost(message.id, message.problem, true);
        return;
      case 'pause_file':
        if (this.#host.uploading()) this.#host.files.pause(message.id, message.paused);
        return;
      case 'changes':
        this.#onChanges(message);
        return;
      case 'kept_freed':
        void this.#host.uploading()?.onKeptFreed();
        return;
      case 'deleted':
        void this.#host.deletions.onDeletedElsewhere(message.id);
        return;
      case 'wake':
        this.#host.uploading()?.wake(true);
        return;
      case 'limit':
        if (this.#host.uploading()) this.#host.limitUploads(message.perSecond);
        return;
    }
  }

  #onChanges(message: Extract<BetweenTabs, { type: 'changes' }>): void {
    if (this.#host.uploading()) return;
    const { inventory, writing, files, deletions } = this.#host;
    this.#standing = message.standing;
    this.#host.heard(message.standing);
    let released = false;
    for (const delta of message.recordings) {
      if (deletions.wasTold(delta.id)) continue;
      const wasComplete = inventory.get(delta.id)?.complete ?? false;
      if (delta.gone && !writing.live.has(delta.id)) deletions.onDeleted(delta.id);
      inventory.applyRemote(delta, writing.live.has(delta.id));
      if (delta.head?.complete && !wasComplete) this.#host.tell({ type: 'completed', recordingId: delta.id });
      released ||= delta.chunks.some(({ state }) => state === 'released');
    }
    if (released) writing.wake();
    files.wake();
    this.#host.updateSoon();
  }
}
