-- release: hand runs back that were not made, with the same planned time.
--
-- KEYS[1] ready  STREAM  entries {id, due}
-- KEYS[2] runs   HASH    check id -> run record
-- ARGV[1] group  consumer group of ready
-- ARGV[2...] sid, id, token: one triple a run; the token is empty for an entry
-- that was delivered and not leased
-- Returns a code for each run: 0 released, 1 stale, 2 the check was removed or
-- paused, 3 bad record.

local ready, runs = KEYS[1], KEYS[2]
local wrong = wrong_type(ready, 'stream', runs, 'hash')
if wrong then return wrong end

local reply = {}
removing(runs)

local function hand_back(sid, id, token)
  local rec = redis.call('HGET', runs, id)
  if not rec then return 1 end
  local state, flags, planned, current, owner, ends, crashes, rev, pos = read(rec)
  if not state then return 3 end
  if current ~= sid or (token == '' and state ~= 'q') or (token ~= '' and owner ~= token) then return 1 end
  redis.call('XACK', ready, ARGV[1], sid)
  redis.call('XDEL', ready, sid)
  local code, entry = 2, '-'
  if state ~= 't' then
    if find(flags, 'p', 1, true) then
      state, flags = 'w', 'p'
    else
      code, state, flags = 0, 'q', '-'
      entry = redis.call('XADD', ready, '*', 'id', id, 'due', planned)
    end
  end
  redis.call('HSET', runs, id, state .. ' ' .. flags .. ' ' .. planned .. ' ' .. entry .. ' - 0 ' .. crashes .. ' ' .. rev .. ' ' .. sub(rec, pos))
  return code
end

for i = 2, #ARGV, 3 do
  reply[#reply + 1] = hand_back(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return reply
