// Read by OpenCode as a plugin. Where its provider says when to come again, OpenCode waits that long without a word: for
// hours, if that is what it was told. This says so in its stream; and a long wait is not for a process to sit out: the
// conversation goes on later, where it stopped.
import { writeSync } from "node:fs"

const LONG = 120

export const OvernightWaits = async () => ({
  event: async ({ event }) => {
    const status = event.type === "session.status" ? event.properties.status : undefined
    if (status?.type !== "retry") return
    const seconds = Math.max(0, Math.round((status.next - Date.now()) / 1000))
    const said = { type: "overnight.wait", seconds, long: seconds > LONG, attempt: status.attempt, message: status.message }
    writeSync(1, JSON.stringify(said) + "\n")
    // "Try again later", as sysexits.h has it.
    if (said.long) process.exit(75)
  },
})
