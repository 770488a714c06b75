-- ack: write who takes care of an open incident beside it.
--
-- KEYS[1] incidents  HASH    incident id -> incident, <id>/ack -> acknowledgement
-- KEYS[2] changes    STREAM  entries {event}
-- ARGV[1] id         incident id
-- ARGV[2] incident   the text that the caller read; another one is a conflict
-- ARGV[3] ack        the acknowledgement
-- ARGV[4] change     event for changes
-- ARGV[5] keep       changes kept, about
-- Returns changed, unchanged, missing or conflict.

local incidents, changes = KEYS[1], KEYS[2]
local wrong = wrong_type(incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local have = redis.call('HGET', incidents, ARGV[1])
if not have then return 'missing' end
if have ~= ARGV[2] then return 'conflict' end
if redis.call('HGET', incidents, ARGV[1] .. '/ack') == ARGV[3] then return 'unchanged' end
removing(incidents)
redis.call('HSET', incidents, ARGV[1] .. '/ack', ARGV[3])
redis.call('XADD', changes, 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[4])
return 'changed'
