-- hold: take, keep or give the right to deliver a lane's changes to a handler.
--
-- KEYS[1] deliver  STRING  token of the worker that delivers, or the name of the next one and a slash
-- ARGV[1] what     take, keep, or give: back, or to another worker
-- ARGV[2] token    worker, slash, random
-- ARGV[3] ttl      ms
-- ARGV[4] next     give: the worker that alone may take it for ttl; empty: anybody may
-- Returns 1, or 0 when the right is another's.

local deliver, token = KEYS[1], ARGV[2]
local wrong = wrong_type(deliver, 'string')
if wrong then return wrong end
local have = redis.call('GET', deliver)
if ARGV[1] ~= 'take' then
  if have ~= token then return 0 end
  if ARGV[1] == 'keep' then return redis.call('PEXPIRE', deliver, ARGV[3]) end
  redis.call('DEL', deliver)
  if ARGV[4] ~= '' then redis.call('SET', deliver, ARGV[4] .. '/', 'PX', ARGV[3]) end
  return 1
end
if have and have ~= token and have ~= match(token, '^[^/]+/') then
  -- One that never ends, or not before the longest lease, comes from a hand or from a
  -- clock that was set back.
  local left = redis.call('PTTL', deliver)
  if left >= 0 and left <= 600000 then return 0 end
end
redis.call('DEL', deliver) -- a full Redis wants a removing write first
redis.call('SET', deliver, token, 'PX', ARGV[3])
return 1
