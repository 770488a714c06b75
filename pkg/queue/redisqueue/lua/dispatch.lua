-- dispatch: move due checks from the schedule to the stream.
--
-- KEYS[1] due      ZSET    check id -> due time, unix ms
-- KEYS[2] ready    STREAM  entries {id, due}
-- KEYS[3] runs     HASH    check id -> run record
-- ARGV[1] max      most checks to move in this call
-- Returns {moved, now, next, frozen, ...}: next is the earliest due time left as
-- text, or -1; frozen says how many of the ids that follow were frozen for
-- their way to another lane; the others were due and have no spec.

local due, ready, runs = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(due, 'zset', ready, 'stream', runs, 'hash')
if wrong then return wrong end

local now = server_ms()
local found = redis.call('ZRANGEBYSCORE', due, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local reply = { 0, now, '-1', 0 }
local frozen, dropped = {}, {}

-- freeze gives the record of a waiting check that is to move instead of run.
local function freeze(id, rec, plan)
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, sha = read(rec)
  if not state then return rec end
  frozen[#frozen + 1] = id
  return 'b - ' .. planned .. ' - - 0 ' .. crashes .. ' ' .. rev .. ' >?/w/' .. int(now) .. '/' .. nonce(committed) .. ' ' .. sha .. ' ' .. plan
end

-- planned gives the time to plan by a due time of any kind, and where the tail
-- of the record stands; nil for one that does not wait, or is paused.
local function planned(rec, plan)
  local last, pos = match(rec, '^w %- ([0-9]+) %- %- 0 ()')
  if not last then return plan end
  local at, before = tonumber(plan) or 0, tonumber(last)
  if at < 1e11 or at <= before then
    plan = int(math.max(now, before + 1))
  elseif #plan ~= 13 then -- no whole number of ms before the year 2286
    plan = int(math.max(math.floor(at), before + 1))
  end
  return plan, pos
end

if #found > 0 then
  local ids, count = {}, #found / 2
  for i = 1, count do ids[i] = found[2 * i - 1] end
  redis.call('ZREM', due, unpack(ids))
  local recs = redis.call('HMGET', runs, unpack(ids))
  local sets, n, moved = {}, 0, 0
  -- From the first of all a time of 13 digits is a whole number of ms.
  local whole = (tonumber(found[2]) or 0) >= 1e12
  for i = 1, count do
    local id, rec, plan, pos = ids[i], recs[i] or '', found[2 * i], 25
    -- The usual one waits, and its last planned time has 13 digits too: what
    -- follows it is told by comparing texts. Any other is taken apart.
    if not (whole and #plan == 13 and sub(rec, 1, 4) == 'w - ' and sub(rec, 18, 24) == ' - - 0 ' and sub(rec, 5, 17) < plan) then
      plan, pos = planned(rec, plan)
    end
    if pos then
      if sub(rec, -2) == ' 1' then
        sets[n + 1], sets[n + 2] = id, freeze(id, rec, plan)
      else
        local sid = redis.call('XADD', ready, '*', 'id', id, 'due', plan)
        sets[n + 1], sets[n + 2] = id, 'q - ' .. plan .. ' ' .. sid .. ' - 0 ' .. sub(rec, pos)
        moved = moved + 1
      end
      n = n + 2
    elseif not recs[i] or sub(rec, 1, 1) == 't' then
      dropped[#dropped + 1] = id
    elseif sub(rec, 1, 1) == 'l' then
      local flags = match(rec, '^l ([pav-]+) ')
      if flags and not find(flags, 'a', 1, true) then
        sets[n + 1], sets[n + 2] = id, 'l ' .. flag(flags, 'a', true) .. sub(rec, 3 + #flags)
        n = n + 2
      end
    end
  end
  if n > 0 then redis.call('HSET', runs, unpack(sets)) end
  reply[1] = moved
end

local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
if #first > 0 then reply[3] = first[2] end
reply[4] = #frozen
for _, id in ipairs(frozen) do reply[#reply + 1] = id end
for _, id in ipairs(dropped) do reply[#reply + 1] = id end
return reply
