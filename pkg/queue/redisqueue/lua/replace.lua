-- replace: write another text in the place of a spec, as a person would.
--
-- KEYS[1] specs  HASH  check id -> spec
-- ARGV[1] id
-- ARGV[2] old    the text that the caller read
-- ARGV[3] spec   the new one
-- Returns 1 when it was written, 0 when another text stands there by now.

local specs = KEYS[1]
local wrong = wrong_type(specs, 'hash')
if wrong then return wrong end
if redis.call('HGET', specs, ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', specs, ARGV[1])
redis.call('HSET', specs, ARGV[1], ARGV[3])
return 1
