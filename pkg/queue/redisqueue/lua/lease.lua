-- lease: give a worker the right to run entries that were delivered to it.
--
-- KEYS[1] ready     STREAM  entries {id, due}
-- KEYS[2] runs      HASH    check id -> run record
-- ARGV[1] group     consumer group of ready
-- ARGV[2] token     the lease's owner: worker, slash, random
-- ARGV[3] lease     ms
-- ARGV[4] suspects  how many checks with 2 or more crashes may be taken
-- ARGV[5] lost      what a lease that ran out adds to the crashes: 1, or 0 behind
--                   an outage, when it tells nothing of its worker
-- ARGV[6...] n ids; n entries: each is "due sid"
-- Returns {now, answer...}: for each entry the run record when it was leased,
-- or 1 leased from a lost worker, and the record follows; 2 discarded,
-- 3 another owner has it, 4 later, 5 bad record.

local ready, runs = KEYS[1], KEYS[2]
local wrong = wrong_type(ready, 'stream', runs, 'hash')
if wrong then return wrong end

local group, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local suspects, lost = tonumber(ARGV[4]), tonumber(ARGV[5])
local now = server_ms()
local expiry = int(now + lease)
local mine = ' ' .. token .. ' ' .. expiry .. ' '
local n = (#ARGV - 5) / 2
local recs = redis.call('HMGET', runs, unpack(ARGV, 6, 5 + n))
local reply, answers, drop, sets, written = { now }, 1, {}, {}, 0

local function write(id, rec)
  sets[written + 1], sets[written + 2] = id, rec
  written = written + 2
  return rec
end

-- discard takes an entry out of the stream; rec is its check's, if it has one.
local function discard(id, sid, rec)
  drop[#drop + 1] = sid
  if rec then write(id, rec) end
  return 2
end

-- seldom decides about entries that are not simply queued.
local function seldom(id, rec, sid)
  if not rec then return discard(id, sid) end
  local state, flags, planned, current, owner, ends, crashes, rev, pos = read(rec)
  if not state then return 5 end
  if current ~= sid then return discard(id, sid) end
  local tail = ' ' .. rev .. ' ' .. sub(rec, pos)
  local code = 0
  if state ~= 'q' then
    if owner == token then -- this very call, repeated: its lease begins anew
      if state == 't' then return discard(id, sid, 't - ' .. planned .. ' - - 0 0' .. tail) end
      if tonumber(crashes) >= 2 then suspects = suspects - 1 end
      return write(id, state .. ' ' .. flags .. ' ' .. planned .. ' ' .. sid .. mine .. crashes .. tail)
    end
    if tonumber(ends) > now then
      if tonumber(ends) > now + lease and tonumber(match(sid, '^%d+')) > now then
        -- the server's clock was set back since; otherwise its owner has longer leases
        write(id, state .. ' ' .. flags .. ' ' .. planned .. ' ' .. sid .. ' ' .. owner .. ' ' .. expiry .. ' ' .. crashes .. tail)
      end
      return 3
    end
    code, crashes = lost, int(tonumber(crashes) + lost)
  end
  if state == 't' then
    return discard(id, sid, 't - ' .. planned .. ' - - 0 0' .. tail)
  end
  if find(flags, 'p', 1, true) then
    return discard(id, sid, 'w p ' .. planned .. ' - - 0 ' .. crashes .. tail)
  end
  if tonumber(crashes) >= 2 then
    if suspects <= 0 then return 4 end
    suspects = suspects - 1
  end
  rec = write(id, 'l - ' .. planned .. ' ' .. sid .. mine .. crashes .. tail)
  if code == 1 then
    answers = answers + 1
    reply[answers] = 1
  end
  return rec
end

for i = 1, n do
  local id, rec, entry = ARGV[5 + i], recs[i], ARGV[5 + n + i]
  -- "q - due sid - 0 0 ": queued, no flags, no crashes
  if rec and find(rec, 'q - ' .. entry .. ' - 0 0 ', 1, true) == 1 then
    rec = write(id, 'l - ' .. entry .. mine .. sub(rec, #entry + 10))
  else
    rec = seldom(id, rec, match(entry, '[^ ]+$'))
  end
  answers = answers + 1
  reply[answers] = rec
end

if #drop > 0 then
  redis.call('XACK', ready, group, unpack(drop))
  redis.call('XDEL', ready, unpack(drop))
else
  removing(runs)
end
if written > 0 then redis.call('HSET', runs, unpack(sets)) end
return reply
