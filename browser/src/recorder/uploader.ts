/**
 * Sends what the spool holds: runs the steps that the shipments decide on, a few PUTs at once, and tells each shipment
 * what came of it. It never gives up; what differs is only how long it waits.
 */
import { Gate } from './backoff';
import { Calls } from './calls';
import type { ChunkSource, Consignment, UploaderEvents } from './consignment';
import type { ControlPlane, Ticket } from './control-plane';
import { asTrouble } from './failure';
import type { End, RecordingFacts, Seal } from './journal';
import { besideOf, inOrder, maySend } from './precedence';
import { Puts } from './puts';
import { Room } from './room';
import { Shipment } from './shipment';
import { steadyNow } from './steady-clock';
import type { ChunkState, ConnectionState, OverQuota } from './types';

/** Timers take no longer wait than 2^31 ms: beyond it they would go off at once. */
const LONGEST_TIMER_MS = 86_400_000;

export class Uploader {
  readonly #events: UploaderEvents;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #signal: AbortSignal;
  readonly #consignments = new Map<string, Consignment>();
  readonly #control: Gate;
  readonly #room: Room;
  readonly #puts: Puts;
  readonly #calls: Calls;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Runs until `signal` aborts. `now` is in epoch ms, by a clock that is never set. */
  constructor(
    plane: ControlPlane,
    source: ChunkSource,
    events: UploaderEvents,
    options: { parallelPuts: number; signal: AbortSignal; now?: () => number; random?: () => number },
  ) {
    const { parallelPuts, signal, now = steadyNow, random = Math.random } = options;
    this.#events = events;
    this.#signal = signal;
    this.#now = now;
    this.#random = random;
    this.#control = new Gate(random);
    this.#room = new Room(random, () => events.overQuota(this.overQuota));
    this.#puts = new Puts(plane, source, events, this.#control, { parallelPuts, signal, now, random });
    const host = { close: ({ shipment }: Consignment) => this.close(shipment.id), run: this.#run.bind(this) };
    this.#calls = new Calls(plane, events, this.#control, this.#room, host, { signal, now });
    signal.addEventListener('abort', () => clearTimeout(this.#timer));
  }

  /** Takes a recording on. `leftover`: the control plane may know it already, so it is asked first. */
  open(facts: RecordingFacts, leftover: boolean): Shipment {
    const known = this.#consignments.get(facts.id);
    if (known) return known.shipment;
    const report = (seq: number, state: ChunkState) => this.#events.chunk(facts.id, seq, state);
    const shipment = new Shipment(facts.id, report, this.#random);
    const gate = new Gate(this.#random);
    this.#consignments.set(facts.id, { shipment, facts, leftover, gate, troubled: null, closed: false, paused: false });
    this.pump();
    return shipment;
  }

  shipment(id: string): Shipment | undefined {
    return this.#consignments.get(id)?.shipment;
  }

  shipments(): Shipment[] {
    return [...this.#consignments.values()].map(({ shipment }) => shipment);
  }

  add(id: string, seal: Seal): void {
    this.#consignments.get(id)?.shipment.add(seal);
    this.pump();
  }

  end(id: string, end: End): void {
    const shipment = this.shipment(id);
    if (shipment) shipment.end = end;
    this.pump();
  }

  /** Sends nothing more of a file for now, or goes on. */
  hold(id: string, paused: boolean): void {
    const entry = this.#consignments.get(id);
    if (entry) entry.paused = paused;
    this.pump();
  }

  close(id: string): void {
    const entry = this.#consignments.get(id);
    if (entry) entry.closed = true;
    this.#consignments.delete(id);
    // Nothing waits for room any more: then it is not known to be used up.
    if (!this.shipments().some((shipment) => shipment.waitsForGrant)) this.#room.over(this.#now());
  }

  /** What the quota holds back at present; null when nothing. */
  get overQuota(): OverQuota | null {
    const { figures } = this.#room;
    if (figures === null) return null;
    const waiting = this.shipments().flatMap((shipment) => shipment.waitingForRoom);
    return {
      ...figures,
      waitingChunks: waiting.length,
      waitingBytes: waiting.reduce((sum, { size }) => sum + size, 0),
    };
  }

  /** Something was deleted: there may be room again. */
  roomFreed(): void {
    this.#room.askNow(this.#now());
    this.pump();
  }

  get uploadingNow(): number {
    return this.#puts.underWay;
  }

  /** Bytes a second over the last seconds, or null when nothing was sent in them. */
  get rate(): number | null {
    return this.#puts.rate;
  }

  /** Bytes a second that uploading keeps to on average; null: no limit. */
  get limit(): number | null {
    return this.#puts.pace.limit;
  }

  setLimit(perSecond: number | null): void {
    this.#puts.pace.setLimit(this.#now(), perSecond);
    this.#events.standing();
    this.pump();
  }

  /** `retryAt` in epoch ms on the device's clock while something waits for its next try. */
  connection(online: boolean): { connection: ConnectionState; retryAt: number | null } {
    const failing = [
      this.#control,
      this.#puts.gate,
      ...[...this.#consignments.values()].map(({ gate }) => gate),
    ].filter((gate) => gate.failing);
    if (failing.length === 0) return { connection: online ? 'online' : 'offline', retryAt: null };
    const waitMs = Math.max(0, Math.min(...failing.map((gate) => gate.opensAt)) - this.#now());
    const retryAt = Date.now() + waitMs;
    return { connection: online ? 'retrying' : 'offline', retryAt };
  }

  /** Forgets all waits. `refused` too: a person asked for it. */
  wake(refused: boolean): void {
    const now = this.#now();
    for (const gate of [this.#control, this.#puts.gate]) gate.reset(now);
    this.#room.askNow(now);
    for (const { shipment, gate } of this.#consignments.values()) {
      gate.reset(now);
      if (refused && (shipment.stuck || shipment.hasRefused)) {
        shipment.unstick();
        this.#events.trouble(shipment.id, null);
      }
    }
    this.#events.standing();
    this.pump();
  }

  /** The server's clock as of now, from a heartbeat: grants end by it. */
  setServerTime(serverTime: string): void {
    this.#calls.setServerTime(serverTime);
  }

  /** Serves a ticket before everything else. Answers false when the chunk is not held here. */
  serve(ticket: Ticket): boolean {
    const shipment = this.shipment(ticket.recording_id);
    const grantEndsAt = this.#calls.grantEndsAt(ticket.expires_at);
    const answer = shipment?.onTicket(ticket.seq, ticket.sha256, ticket.put, grantEndsAt) ?? 'gone';
    this.pump();
    return answer !== 'gone';
  }

  /** The control plane does not know this recording: it is started again, and what is here is sent again. */
  restart(id: string): void {
    this.shipment(id)?.restart();
    this.pump();
  }

  /** Begins everything that can begin now. */
  pump(): void {
    if (this.#signal.aborted) return;
    clearTimeout(this.#timer);
    const now = this.#now();
    const entries = inOrder(this.#consignments.values());
    this.#beginPuts(now, entries);
    for (const entry of entries) this.#beginCalls(now, entry);
    this.#scheduleWake(now);
  }

  /** Tickets first, whatever recording they are of: what the bucket lost goes before what is only new. */
  #beginPuts(now: number, entries: readonly Consignment[]): void {
    for (const urgent of [true, false]) {
      for (const entry of entries) {
        while (this.#puts.mayBegin(now, besideOf(entry, entries)) && maySend(entry, entries, urgent)) {
          const parcel = entry.shipment.takePut(now, urgent);
          if (!parcel) break;
          this.#run(this.#puts.put(entry, parcel));
        }
      }
    }
    this.#puts.begun(now);
  }

  #beginCalls(now: number, entry: Consignment): void {
    const open = this.#control.isOpen(now) && entry.gate.isOpen(now);
    const steps = entry.shipment.next(now, open, this.#room.isOpen(now));
    if (steps.start) this.#run(this.#calls.start(entry));
    if (steps.grant.length > 0) this.#run(this.#calls.grant(entry, steps.grant));
    if (steps.acks.length > 0) this.#run(this.#calls.ack(entry, steps.acks));
    if (steps.refile.length > 0) this.#run(this.#events.refile(entry.shipment.id, steps.refile));
    if (steps.complete) this.#run(this.#calls.complete(entry, steps.complete));
  }

  #scheduleWake(now: number): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { shipment, gate } of this.#consignments.values()) {
      at = Math.min(at, shipment.wakeAt(now), gate.opensAt > now ? gate.opensAt : at);
    }
    for (const gate of [this.#control, this.#puts.gate, this.#puts.pace, this.#room])
      if (gate.opensAt > now) at = Math.min(at, gate.opensAt);
    if (at < Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.pump(), Math.min(Math.max(1, at - now), LONGEST_TIMER_MS));
  }

  /** Every step handles its own failures; what comes here is a mistake of ours and is said aloud. */
  #run(step: Promise<void>): void {
    step
      .catch((error: unknown) => {
        if (!this.#signal.aborted) this.#events.trouble('', asTrouble(error, 'unexpected'));
      })
      .finally(() => this.pump());
  }
}
