-- renew: extend leases, expired or not, as long as they are the caller's.
--
-- KEYS[1] runs   HASH  check id -> run record
-- ARGV[1] lease  ms
-- ARGV[2...] sid, id, token: one triple a run
-- Returns a code for each run: 0 extended, 1 stale, 2 the check was removed,
-- 3 bad record.

local runs = KEYS[1]
local wrong = wrong_type(runs, 'hash')
if wrong then return wrong end

local expiry = int(server_ms() + tonumber(ARGV[1]))
local ids, n = {}, (#ARGV - 1) / 3
for i = 1, n do ids[i] = ARGV[3 * i] end
local recs = redis.call('HMGET', runs, unpack(ids))
removing(runs)
local reply, sets = {}, {}

for i = 1, n do
  local rec, code = recs[i], 1
  if rec then
    local state, flags, planned, sid, owner, ends, crashes, rev, pos = read(rec)
    if not state then
      code = 3
    elseif owner == ARGV[3 * i + 1] then
      code = state == 't' and 2 or 0
      sets[#sets + 1] = ids[i]
      sets[#sets + 1] = state .. ' ' .. flags .. ' ' .. planned .. ' ' .. sid .. ' ' .. owner .. ' ' .. expiry .. ' ' .. crashes .. ' ' .. rev .. ' ' .. sub(rec, pos)
    end
  end
  reply[i] = code
end

if #sets > 0 then redis.call('HSET', runs, unpack(sets)) end
return reply
