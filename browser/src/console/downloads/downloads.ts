import type { Problem } from '../../recorder/types';
import { uuidv7 } from '../../recorder/uuid';
import { problemOfCall } from '../api-calls';
import type { SessionState } from '../session';
import { Store } from '../store';
import type { Availability, Download, DownloadCalls } from './download-calls';
import type { StreamEvent } from './event-stream';
import { isUnderWay, known, latestOf, merged } from './listing';
import { type LineState, NewsLine } from './news-line';
import { paceOf, type Sample, sampled } from './pace';

/** While nothing is under way and nobody looks, it is asked so often whether something was begun elsewhere. */
const IDLE_MS = 60_000;
/** How often the list is read where a stream cannot be had. */
const LIST_POLL_MS = 10_000;
/** A wish that met no answer is sent again under its name, so often and so soon. */
const WISH_WAITS_MS = [500, 2_000];

/** A wish for a recording's file, from the click until there is a download of it, or a reason why not. */
export interface Ask {
  phase: 'checking' | 'beginning' | 'refused';
  /** Why there is no download; null while nobody knows. */
  problem: Problem | null;
  /** What could be had in spite of it. */
  there: Availability | null;
}

/** What somebody wanted of a download, and what came of it. */
export interface Act {
  doing: 'saving' | 'cancelling' | 'beginning' | null;
  problem: Problem | null;
  /** It was handed to the browser. */
  saved: boolean;
}

export interface DownloadsState {
  /** Newest first. */
  downloads: readonly Download[];
  /** Where the list goes on; null at its end, and before it was read. */
  cursor: string | null;
  status: 'unread' | 'loading' | 'ready' | 'failed';
  problem: Problem | null;
  line: LineState;
  /** Bytes a second of those being made, where it can be told. */
  paces: ReadonlyMap<string, number>;
  /** By recording. */
  asks: ReadonlyMap<string, Ask>;
  /** By download. */
  acts: ReadonlyMap<string, Act>;
  /** Those that came to an end while this page looked on, until somebody has seen it. */
  news: readonly string[];
}

export const NO_DOWNLOADS: DownloadsState = {
  downloads: [],
  cursor: null,
  status: 'unread',
  problem: null,
  line: 'resting',
  paces: new Map(),
  asks: new Map(),
  acts: new Map(),
  news: [],
};

const NO_ACT: Act = { doing: null, problem: null, saved: false };

/** What it needs of the page around it. */
export interface Surroundings {
  session: { state: Store<SessionState> };
  save: (url: string, onRefused: () => void) => void;
}

/**
 * The owner's downloads: what the server tells of them, as it tells it, and what somebody does about them. All of it is the
 * server's; nothing is remembered here. One stream for all, only while something is under way or looked at, and the page is in
 * view: browsers allow few connections to one server.
 */
export class Downloads {
  readonly state: Store<DownloadsState>;
  readonly #calls: DownloadCalls;
  readonly #around: Surroundings;
  readonly #line: NewsLine;
  readonly #samples = new Map<string, readonly Sample[]>();
  readonly #tags = new Map<string, string>();
  #watchers = 0;
  #listedAt = 0;
  /** How many pages of the list were read, the newest counted once. */
  #pages = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(calls: DownloadCalls, around: Surroundings, initial: Partial<DownloadsState> = {}) {
    this.#calls = calls;
    this.#around = around;
    this.state = new Store({ ...NO_DOWNLOADS, ...initial });
    this.#line = new NewsLine({
      open: (signal) => calls.watch(signal),
      hear: (event) => this.#hear(event),
      poll: (signal) => this.#poll(signal),
    });
    this.#line.state.subscribe(() => this.state.patch({ line: this.#line.state.get() }));
  }

  /** Looks from now on. */
  start(): void {
    const comeBack = () => {
      this.#settle();
      this.#line.nudge();
    };
    document.addEventListener('visibilitychange', comeBack);
    addEventListener('online', comeBack);
    let before = this.#around.session.state.get();
    this.#around.session.state.subscribe(() => {
      const now = this.#around.session.state.get();
      // Somebody may have become somebody else.
      if (now === 'signed_in' && (before === 'signed_out' || before === 'refused')) this.#beginAnew();
      before = now;
    });
    this.#idleLook();
  }

  /** Somebody looks at the downloads, until the answer is called. */
  watch(): () => void {
    this.#watchers += 1;
    this.#settle();
    void this.renew();
    return () => {
      this.#watchers -= 1;
      this.#settle();
    };
  }

  /** Reads the newest page. */
  async renew(): Promise<void> {
    await this.#read(null);
  }

  /** Reads the next page. */
  async more(): Promise<void> {
    const { cursor, status } = this.state.get();
    if (cursor !== null && status !== 'loading') await this.#read(cursor);
  }

  /** Has a file made of one recording, where it can be had whole; else says why not. */
  async want(recordingId: string): Promise<void> {
    if (isBusy(this.state.get().asks.get(recordingId))) return;
    this.#ask(recordingId, { phase: 'checking', problem: null, there: null });
    try {
      const there = await this.check([recordingId], false);
      const one = there.find(({ recording_id }) => recording_id === recordingId);
      if (one?.available) await this.#wish(recordingId, false);
      else this.#ask(recordingId, { phase: 'refused', problem: one?.problem ?? null, there: one ?? null });
    } catch (error) {
      this.#ask(recordingId, { phase: 'refused', problem: problemOfCall(error), there: null });
    }
  }

  /** Has a file made of what there is of a recording. */
  async wantWhatThereIs(recordingId: string): Promise<void> {
    if (!isBusy(this.state.get().asks.get(recordingId))) await this.#wish(recordingId, true);
  }

  /** Somebody has read why not. */
  dropAsk(recordingId: string): void {
    this.#ask(recordingId, null);
  }

  /** What could be had of these recordings now. @throws CallFailed. */
  async check(recordings: readonly string[], allowGaps: boolean): Promise<readonly Availability[]> {
    return (await this.#calls.check(recordings, allowGaps)).recordings;
  }

  /** Has a file made of these recordings, under a name made for this one wish. @throws CallFailed. */
  async begin(recordings: readonly string[], allowGaps: boolean): Promise<Download> {
    const key = uuidv7();
    for (const wait of [...WISH_WAITS_MS, null]) {
      try {
        const download = await this.#calls.begin(recordings, allowGaps, key);
        this.#take([download]);
        this.#settle();
        return download;
      } catch (error) {
        if (wait === null || problemOfCall(error)?.code !== 'network') throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    throw new Error('The last try answers or throws.');
  }

  /** The same once more: what failed, was cancelled, or is over; with `allowGaps` also of what is not whole. */
  async again(id: string, allowGaps?: boolean): Promise<void> {
    const download = this.#one(id);
    if (!download) return;
    const ids = download.recordings.map((recording) => recording.id);
    await this.#act(id, 'beginning', () => this.begin(ids, allowGaps ?? download.allow_gaps));
  }

  async cancel(id: string): Promise<void> {
    await this.#act(id, 'cancelling', async () => this.#take([await this.#calls.cancel(id)], { quiet: true }));
  }

  /** Hands the file to the browser's own downloads. */
  async save(id: string): Promise<void> {
    await this.#act(id, 'saving', async () => {
      this.#around.save(await this.#calls.address(id), () =>
        this.#put(id, { doing: null, problem: REFUSED, saved: false }),
      );
      this.seen(id);
      this.#put(id, { doing: null, problem: null, saved: true });
    });
    if (this.state.get().acts.get(id)?.problem?.code === 'download_ended') void this.#lookAt(id);
  }

  /** Somebody has seen that it came to an end. */
  seen(id: string): void {
    const { news } = this.state.get();
    if (news.includes(id)) this.state.patch({ news: news.filter((one) => one !== id) });
  }

  allSeen(): void {
    if (this.state.get().news.length > 0) this.state.patch({ news: [] });
  }

  /** Asks at once where the line was lost. */
  retryNow(): void {
    this.#line.nudge();
    if (this.state.get().status !== 'ready') void this.renew();
  }

  async #wish(recordingId: string, allowGaps: boolean): Promise<void> {
    this.#ask(recordingId, { ...(this.state.get().asks.get(recordingId) ?? EMPTY_ASK), phase: 'beginning' });
    try {
      await this.begin([recordingId], allowGaps);
      this.#ask(recordingId, null);
    } catch (error) {
      const there = this.state.get().asks.get(recordingId)?.there ?? null;
      this.#ask(recordingId, { phase: 'refused', problem: problemOfCall(error), there });
    }
  }

  async #read(cursor: string | null): Promise<void> {
    const before = this.state.get();
    if (before.status !== 'ready' || cursor !== null) this.state.patch({ status: 'loading', problem: null });
    try {
      const page = await this.#calls.page(cursor);
      this.#listedAt = Date.now();
      this.#take(page.downloads);
      const goesOn = cursor !== null || this.#pages <= 1;
      this.#pages = cursor === null ? Math.max(1, this.#pages) : this.#pages + 1;
      this.state.patch({ status: 'ready', problem: null, ...(goesOn ? { cursor: page.next_cursor } : {}) });
      this.#settle();
    } catch (error) {
      const problem = problemOfCall(error);
      // What was read before stands; the line's own words tell that it may be old.
      if (before.status !== 'ready' || cursor !== null) this.state.patch({ status: 'failed', problem });
    }
  }

  async #lookAt(id: string): Promise<void> {
    try {
      const { download } = await this.#calls.poll(id, null);
      if (download) this.#take([download]);
    } catch {
      // It is looked at again with the list.
    }
  }

  async #act(id: string, doing: Exclude<Act['doing'], null>, work: () => Promise<unknown>): Promise<void> {
    if (this.state.get().acts.get(id)?.doing) return;
    this.#put(id, { doing, problem: null, saved: false });
    try {
      await work();
      if (this.state.get().acts.get(id)?.doing) this.#put(id, NO_ACT);
    } catch (error) {
      this.#put(id, { doing: null, problem: problemOfCall(error), saved: false });
    }
  }

  #hear({ name, data }: StreamEvent): void {
    if (name === 'download') this.#take([JSON.parse(data) as Download]);
    this.#settle();
  }

  /** In place of the stream: each that is under way, and the list where somebody looks. */
  async #poll(signal: AbortSignal): Promise<number> {
    const underWay = this.state.get().downloads.filter(isUnderWay);
    let wait = LIST_POLL_MS;
    for (const { id } of underWay) {
      const told = await this.#calls.poll(id, this.#tags.get(id) ?? null, signal);
      if (told.tag !== null) this.#tags.set(id, told.tag);
      if (told.download) this.#take([told.download]);
      wait = Math.min(wait, told.waitMs);
    }
    if (this.#watchers > 0 && Date.now() - this.#listedAt >= LIST_POLL_MS) {
      this.#take((await this.#calls.page(null, signal)).downloads);
      this.#listedAt = Date.now();
    }
    this.#settle();
    return wait;
  }

  #take(downloads: readonly Download[], { quiet = false } = {}): void {
    const before = this.state.get();
    const news = new Set(before.news);
    const paces = new Map(before.paces);
    for (const download of downloads) {
      const old = known(before.downloads, download.id);
      if (old && old.version >= download.version) continue;
      if (old && isUnderWay(old) && !isUnderWay(download) && download.state !== 'cancelled' && !quiet)
        news.add(download.id);
      const pace = this.#paceOf(download);
      if (pace === null) paces.delete(download.id);
      else paces.set(download.id, pace);
    }
    this.state.patch({ downloads: merged(before.downloads, downloads), news: [...news], paces });
  }

  #paceOf(download: Download): number | null {
    if (download.state !== 'running') {
      this.#samples.delete(download.id);
      return null;
    }
    const sample = { atMs: Date.now(), bytes: download.bytes_done };
    const samples = sampled(this.#samples.get(download.id) ?? [], sample);
    this.#samples.set(download.id, samples);
    return paceOf(samples);
  }

  /** Whether the line is wanted may have changed. */
  #settle(): void {
    const wanted = this.#watchers > 0 || this.state.get().downloads.some(isUnderWay);
    this.#line.want(wanted && document.visibilityState === 'visible');
  }

  #beginAnew(): void {
    this.#samples.clear();
    this.#tags.clear();
    this.#pages = 0;
    this.#line.want(false);
    this.state.set(NO_DOWNLOADS);
    void this.renew();
    this.#settle();
  }

  #idleLook(): void {
    clearTimeout(this.#idle);
    if (document.visibilityState === 'visible' && this.#line.state.get() === 'resting') void this.renew();
    this.#idle = setTimeout(() => this.#idleLook(), IDLE_MS);
  }

  #one(id: string): Download | undefined {
    return known(this.state.get().downloads, id);
  }

  #ask(recordingId: string, ask: Ask | null): void {
    const asks = new Map(this.state.get().asks);
    if (ask) asks.set(recordingId, ask);
    else asks.delete(recordingId);
    this.state.patch({ asks });
  }

  #put(id: string, act: Act): void {
    this.state.patch({ acts: new Map(this.state.get().acts).set(id, act) });
  }
}

const EMPTY_ASK: Ask = { phase: 'beginning', problem: null, there: null };

const REFUSED: Problem = {
  code: 'file_refused',
  detail: 'The bucket did not give the file. It may be a passing fault: press “Save file” again in a moment.',
};

/** True while the server is being asked. */
export function isBusy(ask: Ask | undefined): boolean {
  return ask !== undefined && ask.phase !== 'refused';
}

/** What the page of one recording shows: its newest download by itself. */
export function downloadOf(state: DownloadsState, recordingId: string): Download | undefined {
  return latestOf(state.downloads, [recordingId]);
}
