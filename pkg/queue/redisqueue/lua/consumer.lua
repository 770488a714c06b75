-- consumer: delete a consumer for which nothing is pending.
--
-- KEYS[1] ready  STREAM  entries {id, due}
-- ARGV[1] group
-- ARGV[2] name   of the consumer
-- Returns 1 when it was deleted, 0 when entries are pending for it.

local ready = KEYS[1]
local wrong = wrong_type(ready, 'stream')
if wrong then return wrong end
local held = redis.pcall('XPENDING', ready, ARGV[1], '-', '+', 1, ARGV[2])
if held.err or #held > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', ready, ARGV[1], ARGV[2])
return 1
