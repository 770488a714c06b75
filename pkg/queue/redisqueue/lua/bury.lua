-- bury: put a change that a handler will not get to the dead letters.
--
-- KEYS[1] deliver   STRING  token of the worker that delivers
-- KEYS[2] changes   STREAM  entries {event}, {event, for}
-- KEYS[3] dead      STREAM  entries {event, handler, reason, attempts, at, entry}
-- ARGV[1] token
-- ARGV[2] handler   the group has its name
-- ARGV[3] entry     id in changes
-- ARGV[4] event
-- ARGV[5] reason
-- ARGV[6] attempts
-- ARGV[7] keep      dead letters kept, about
-- Returns 1, or 0 when the right is another's: nothing was written.

local deliver, changes, dead = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(deliver, 'string', changes, 'stream', dead, 'stream')
if wrong then return wrong end
if redis.call('GET', deliver) ~= ARGV[1] then return 0 end

-- Not pending any more: this very call was answered and the answer lost.
if redis.call('XACK', changes, ARGV[2], ARGV[3]) == 0 then return 1 end
redis.call('XADD', dead, 'MAXLEN', '~', ARGV[7], '*', 'event', ARGV[4], 'handler', ARGV[2],
  'reason', ARGV[5], 'attempts', ARGV[6], 'at', int(server_ms()), 'entry', ARGV[3])
return 1
