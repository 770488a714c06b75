-- shed: drop fields of incidents that were carried to another lane.
--
-- KEYS[1] incidents  HASH  incident id -> incident, and what stands beside it
-- ARGV[1...] fields and values; one that has another value by now stays
-- Returns how many were dropped.

local incidents = KEYS[1]
local wrong = wrong_type(incidents, 'hash')
if wrong then return wrong end
local n = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', incidents, ARGV[i]) == ARGV[i + 1] then n = n + redis.call('HDEL', incidents, ARGV[i]) end
end
return n
