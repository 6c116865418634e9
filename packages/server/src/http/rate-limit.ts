import { PortiaError } from 'portia-ts';

/** At most so many requests a second, of which so many at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Names remembered at once; those not heard of for longest are forgotten first. */
const mostBuckets = 10_000;

/** Counts requests by name, each with a bucket of its own that fills with time. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Takes one of the requests a name still has. @throws PortiaError `RATE_LIMITED` with `retryAfter`, in seconds. */
  take(name: string): void {
    const bucket = this.#bucket(name);
    if (bucket.tokens < 1) {
      const seconds = Math.max(1, Math.ceil((1 - bucket.tokens) / this.#rate.perSecond));
      throw new PortiaError({
        code: 'RATE_LIMITED',
        message: `more than ${this.#rate.perSecond} requests a second`,
        hint: `try again in ${seconds} s`,
        details: { retryAfter: seconds },
      });
    }
    bucket.tokens -= 1;
  }

  #bucket(name: string): Bucket {
    const { perSecond, burst } = this.#rate;
    const now = this.#now();
    const known = this.#buckets.get(name) ?? { tokens: burst, at: now };
    known.tokens = Math.min(burst, known.tokens + ((now - known.at) / 1000) * perSecond);
    known.at = now;
    this.#buckets.delete(name);
    this.#buckets.set(name, known);
    if (this.#buckets.size > mostBuckets) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return known;
  }
}
