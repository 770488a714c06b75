-- lock: take, keep or give back the right to apply the intake.
--
-- KEYS[1] lock   STRING  the scheduler that applies it now
-- ARGV[1] owner
-- ARGV[2] ttl    ms; 0 gives the lock back
-- Returns 1 when the owner has it (or had it), 0 when another one has.

local lock, owner = KEYS[1], ARGV[1]
local wrong = wrong_type(lock, 'string')
if wrong then return wrong end
local have = redis.call('GET', lock)
if have and have ~= owner then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', lock) end
if have then
  redis.call('PEXPIRE', lock, ARGV[2])
else
  redis.call('DEL', lock) -- nothing: a full Redis wants a removing write first
  redis.call('SET', lock, owner, 'PX', ARGV[2])
end
return 1
