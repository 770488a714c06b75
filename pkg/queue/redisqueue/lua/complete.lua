-- complete: end runs: write what they found, put their checks back.
--
-- KEYS[1] ready      STREAM  entries {id, due}
-- KEYS[2] runs       HASH    check id -> run record
-- KEYS[3] due        ZSET    check id -> due time, unix ms
-- KEYS[4] last       HASH    check id -> last record
-- KEYS[5] results    STREAM  entries {event}
-- KEYS[6] incidents  HASH    incident id -> incident
-- KEYS[7] changes    STREAM  entries {event}
-- ARGV[1] group      consumer group of ready
-- ARGV[2] keep       results and changes kept, about
-- ARGV[3] runs       how many runs
-- ARGV[4...] sid, id, token, rev, next, last, event: seven a run. next is unix ms, 0
-- for never; last and event empty: nothing is recorded
-- ARGV[...] run, kind, key, value: what few runs have: of the run with that number,
-- crashed (key and value empty: the crash count stays), incident (id and
-- incident) or change (value is the event)
-- Returns a code for each run: 0 done, 1 stale, 2 the check was removed, 3 bad record.

local ready, runs, due, last = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local results, incidents, changes = KEYS[5], KEYS[6], KEYS[7]
local wrong = wrong_type(ready, 'stream', runs, 'hash', due, 'zset', last, 'hash',
  results, 'stream', incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local now, n = server_ms(), tonumber(ARGV[3])
local ids, crashed = {}, {}
for i = 1, n do ids[i] = ARGV[7 * i - 2] end
for a = 7 * n + 4, #ARGV, 4 do
  if ARGV[a + 1] == 'crashed' then crashed[tonumber(ARGV[a])] = true end
end
local recs = redis.call('HMGET', runs, unpack(ids))
local reply, sids, sets, scores, lasts, events, seen = {}, {}, {}, {}, {}, {}, {}
local ended, placed = 0, 0

-- ending writes down that the run ends and what its record becomes.
local function ending(id, sid, token, rec)
  seen[id] = token
  ended = ended + 1
  sids[ended], sets[2 * ended - 1], sets[2 * ended] = sid, id, rec
end

local function place(id, at)
  scores[placed + 1], scores[placed + 2] = at, id
  placed = placed + 2
end

-- after tells where a check goes and how its record begins.
local function after(flags, at)
  local word = at == '0' and 'd ' or 'w '
  if flags == '-' then return word .. '- ', at end
  if find(flags, 'p', 1, true) then return 'w p ', '0' end
  if find(flags, 'a', 1, true) and (at == '0' or tonumber(at) > now) then return 'w - ', int(now) end
  return word .. '- ', at
end

for i = 1, n do
  local a = 7 * i - 3
  local rec, id, token, code = recs[i], ids[i], ARGV[a + 2], 1
  local state, flags, planned, sid, owner, ends, crashes, rev, pos
  if rec then
    state, flags, planned, sid, owner, ends, crashes, rev, pos = match(rec, HEAD)
    if not state then code = 3 end
  end
  if seen[id] == token then
    code = 0
  elseif state and owner == token then
    local sha = match(rec, '^[^ ]+ ()', pos)
    if state == 'l' and (flags == '-' or not find(flags, 'v', 1, true)) then
      code = 0
      local at = ARGV[a + 4]
      if ARGV[a + 3] ~= rev then at = match(rec, ' ([0-9]+)$', sha) end
      local head
      head, at = after(flags, at)
      if at ~= '0' then place(id, at) end
      if not crashed[i] then crashes = '0' end
      ending(id, sid, token, head .. planned .. ' - - 0 ' .. crashes .. ' ' .. rev .. ' ' .. nonce(token) .. ' ' .. sub(rec, sha))
      if ARGV[a + 5] ~= '' then lasts[#lasts + 1], lasts[#lasts + 2] = id, ARGV[a + 5] end
      if ARGV[a + 6] ~= '' then events[#events + 1] = ARGV[a + 6] end
    else
      code = 2
      local paused = find(flags, 'p', 1, true)
      if state == 'l' then
        state = 'w'
        if not paused then place(id, int(now)) end
      end
      ending(id, sid, token, state .. (paused and ' p ' or ' - ') .. planned .. ' - - 0 0 ' .. rev .. ' - ' .. sub(rec, sha))
    end
  elseif state and match(rec, '^[^ ]+', pos) == nonce(token) then
    code = 0
  end
  reply[i] = code
end

if ended == 0 then return reply end
redis.call('XACK', ready, ARGV[1], unpack(sids))
redis.call('XDEL', ready, unpack(sids))
redis.call('HSET', runs, unpack(sets))
if placed > 0 then redis.call('ZADD', due, 'LT', unpack(scores)) end
if #lasts > 0 then redis.call('HSET', last, unpack(lasts)) end
for i = 1, #events do redis.call('XADD', results, '*', 'event', events[i]) end
if #events > 0 then redis.call('XTRIM', results, 'MAXLEN', '~', ARGV[2]) end
for a = 7 * n + 4, #ARGV, 4 do
  local i = tonumber(ARGV[a])
  if reply[i] == 0 and seen[ids[i]] == ARGV[7 * i - 1] then
    if ARGV[a + 1] == 'incident' then
      redis.call('HSET', incidents, ARGV[a + 2], ARGV[a + 3])
    elseif ARGV[a + 1] == 'change' then
      redis.call('XADD', changes, 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[a + 3])
    end
  end
end
return reply
