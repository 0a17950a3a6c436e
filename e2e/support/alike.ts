/** What cannot be the same in the replies of two servers: numbers of connections, times. */

/** Greetings and numbers of connections, which begin apart on purpose. */
const GREETING = /(\$2\r\nid\r\n:)\d+/g;
/** What is left of 1,000 or 100,000 seconds, in seconds or milliseconds. */
const REMAINING = /:(?:1000|99\d|100000|9999\d|1000000|99\d{4}|100000000|9999\d{4})\r\n/g;
/** What is left until the moment 99999999999999, in seconds or milliseconds. */
const REMAINING_FOR_LONG = /:9[78]\d{9}(?:\d{3})?\r\n/g;

/** Returns a server's bytes in a form in which those of another, that does the same, are equal. */
export function comparable(replies: string): string {
  return replies.replace(GREETING, "$1?").replace(REMAINING, ":?\r\n").replace(REMAINING_FOR_LONG, ":?\r\n");
}
