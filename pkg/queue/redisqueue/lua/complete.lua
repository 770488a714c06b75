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
-- ARGV[4...] id, sid, held, after, next, last, event: seven a run. held is the record
-- that lease wrote, after the one to be put in its place when it still stands there
-- (else the script makes one); next is unix ms, 0 for never; last and event empty:
-- nothing is recorded
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
for i = 1, n do ids[i] = ARGV[7 * i - 3] end
for a = 7 * n + 4, #ARGV, 4 do
  if ARGV[a + 1] == 'crashed' then crashed[tonumber(ARGV[a])] = true end
end
local recs = redis.call('HMGET', runs, unpack(ids))
local reply, sids, sets, scores, lasts, events, seen = {}, {}, {}, {}, {}, {}, {}
local ended, placed, told = 0, 0, 0

-- ending writes down that a run ends, what its record becomes, and when the
-- check is due: empty for not at all.
local function ending(id, sid, rec, at)
  ended = ended + 1
  sids[ended], sets[2 * ended - 1], sets[2 * ended] = sid, id, rec
  if at ~= '' then
    scores[placed + 1], scores[placed + 2] = at, id
    placed = placed + 2
  end
end

-- record notes what the i-th run found.
local function record(i, a)
  seen[i] = true
  if ARGV[a + 5] ~= '' then
    lasts[2 * told + 1], lasts[2 * told + 2] = ids[i], ARGV[a + 5]
    told = told + 1
    events[told] = ARGV[a + 6]
  end
end

-- changed ends a run whose record is not the one that lease wrote.
local function changed(i, a, rec)
  local id, h = ids[i], {}
  for word in string.gmatch(ARGV[a + 2], '[^ ]+') do h[#h + 1] = word end
  local token, was = h[5], h[8]
  local state, flags, planned, sid, owner, ends, crashes, rev, pos = match(rec, HEAD)
  if not state then return 3 end
  local committed, rest = match(rec, '^([^ ]+) ()', pos)
  if owner ~= token then return committed == nonce(token) and 0 or 1 end
  rest = sub(rec, rest)
  local paused = find(flags, 'p', 1, true)
  if state == 't' or find(flags, 'v', 1, true) then
    local word = state == 't' and 't - ' or paused and 'w p ' or 'w - '
    ending(id, sid, word .. planned .. ' - - 0 0 ' .. rev .. ' - ' .. rest, word == 'w - ' and int(now) or '')
    return 2
  end
  local at, word = ARGV[a + 4], 'w - '
  if was ~= rev then at = match(rest, '[0-9]+$') end
  if find(flags, 'a', 1, true) and (at == '0' or tonumber(at) > now) then at = int(now) end
  if paused then
    word, at = 'w p ', ''
  elseif at == '0' then
    word, at = 'd - ', ''
  end
  if not crashed[i] then crashes = '0' end
  ending(id, sid, word .. planned .. ' - - 0 ' .. crashes .. ' ' .. rev .. ' ' .. nonce(token) .. ' ' .. rest, at)
  record(i, a)
  return 0
end

for i = 1, n do
  local a, rec = 7 * i - 3, recs[i]
  if not rec then
    reply[i] = 1
  elseif rec == ARGV[a + 2] then
    local at = ARGV[a + 4]
    ending(ids[i], ARGV[a + 1], ARGV[a + 3], at == '0' and '' or at)
    record(i, a)
    reply[i] = 0
  else
    reply[i] = changed(i, a, rec)
  end
end

if ended == 0 then return reply end
redis.call('XACK', ready, ARGV[1], unpack(sids))
redis.call('XDEL', ready, unpack(sids))
redis.call('HSET', runs, unpack(sets))
if placed > 0 then redis.call('ZADD', due, 'LT', unpack(scores)) end
if told > 0 then redis.call('HSET', last, unpack(lasts)) end
for i = 1, told do redis.call('XADD', results, '*', 'event', events[i]) end
if told > 0 then redis.call('XTRIM', results, 'MAXLEN', '~', ARGV[2]) end
for a = 7 * n + 4, #ARGV, 4 do
  local i = tonumber(ARGV[a])
  if seen[i] then
    if ARGV[a + 1] == 'incident' then
      redis.call('HSET', incidents, ARGV[a + 2], ARGV[a + 3])
    elseif ARGV[a + 1] == 'change' then
      redis.call('XADD', changes, 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[a + 3])
    end
  end
end
return reply
