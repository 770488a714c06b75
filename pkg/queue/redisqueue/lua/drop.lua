-- drop: take a spec out of a registry where it does not belong.
--
-- KEYS[1] specs  HASH  check id -> spec
-- ARGV[1] id
-- ARGV[2] spec   the text that the caller read
-- Returns 1 when it was dropped, 0 when another text stands there by now.

local specs = KEYS[1]
local wrong = wrong_type(specs, 'hash')
if wrong then return wrong end
if redis.call('HGET', specs, ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', specs, ARGV[1])
