-- hold: take, keep, give back or pass on the right to deliver a lane's changes.
--
-- KEYS[1] deliver  STRING  token of the worker that delivers, or the name of the next one and a slash
-- ARGV[1] token    worker, slash, random
-- ARGV[2] ttl      ms; 0 gives the right back
-- ARGV[3] next     worker to whom it is passed on for ttl, empty for none
-- Returns 1 when the token has the right (or had it), 0 when it is another's.

local deliver, token = KEYS[1], ARGV[1]
local wrong = wrong_type(deliver, 'string')
if wrong then return wrong end
local have = redis.call('GET', deliver)
if have and have ~= token and have ~= match(token, '^[^/]+/') then
  -- One that never ends, or not before the longest lease, comes from a hand or from a
  -- clock that was set back.
  local left = redis.call('PTTL', deliver)
  if left >= 0 and left <= 600000 then return 0 end
end
local gives = ARGV[2] == '0' or ARGV[3] ~= ''
if gives and have ~= token then return 0 end
if have == token and not gives then
  redis.call('PEXPIRE', deliver, ARGV[2])
  return 1
end
redis.call('DEL', deliver) -- a full Redis wants a removing write first
if ARGV[2] ~= '0' then
  redis.call('SET', deliver, ARGV[3] ~= '' and ARGV[3] .. '/' or token, 'PX', ARGV[2])
end
return 1
