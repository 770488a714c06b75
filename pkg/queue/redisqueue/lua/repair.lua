-- repair: compare specs with records, schedule and stream, and mend.
--
-- KEYS[1] runs   HASH    check id -> run record
-- KEYS[2] due    ZSET    check id -> due time, unix ms
-- KEYS[3] ready  STREAM  entries {id, due}
-- ARGV[1] group  consumer group of ready
-- ARGV[2] lease  the longest lease, ms
-- ARGV[3] mend   1, or 0 to look only
-- ARGV[4...] id, sha, ahead, first: four a check. sha is the sha1 of the text
-- that the caller read; ahead is how far in the future it may be due, ms, 0 for
-- any time before the year 5000; first is where to put it if it has to be placed, unix ms, or 0
-- Returns for each check what is wrong, empty for nothing; hand, frozen, and lost
-- and far without first, are not mended here:
--   hand          no record, or one of another text: the caller adopts it
--   bad_record    the record is junk; mended: dropped, the spec is found anew
--   paused_due    paused or refused, yet due; mended: taken out of due
--   lost          waits, but is not due; mended: due at first
--   far           due too far ahead, or no time at all; mended: due at first
--   lost_entry    queued or leased, but its entry is gone; mended: due now
--   lost_pending  its entry is there but was delivered to nobody; mended: queued again
--   long_lease    leased for longer than any lease; mended: shortened
--   frozen        on its way to another lane (nothing is wrong): the caller
--                 carries it on

local runs, due, ready = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(runs, 'hash', due, 'zset', ready, 'stream')
if wrong then return wrong end

local group, lease = ARGV[1], tonumber(ARGV[2])
local mend = ARGV[3] == '1'
local now = server_ms()
local ids, n = {}, (#ARGV - 3) / 4
for i = 1, n do ids[i] = ARGV[4 * i] end
local recs = redis.call('HMGET', runs, unpack(ids))
local scores = redis.call('ZMSCORE', due, unpack(ids))
local written = false

-- removing_first lets the writes that follow through when memory is full.
local function removing_first()
  if not written then removing(runs) end
  written = true
end

local delivered
-- pending tells whether an entry was delivered to somebody, or still may be.
local function pending(sid)
  if delivered == nil then
    delivered = false
    local groups = redis.pcall('XINFO', 'GROUPS', ready)
    for _, g in ipairs(groups.err and {} or groups) do
      local info = {}
      for i = 1, #g, 2 do info[g[i]] = g[i + 1] end
      if info['name'] == group then delivered = info['last-delivered-id'] end
    end
  end
  if not delivered or rev_cmp(sid, delivered) > 0 then return true end
  return #redis.call('XPENDING', ready, group, sid, sid, 1) > 0
end

local function mend_waiting(id, rec, score, ahead, first)
  local state, flags, planned, sid, owner, ends, crashes = read(rec)
  if find(flags, 'p', 1, true) then
    if not score then return '' end
    if mend then redis.call('ZREM', due, id) end
    return 'paused_due'
  end
  local kind = ''
  if not score then
    kind = 'lost'
  else
    local slack = tonumber(crashes) > 2 and 7200000 or 0
    local at = tonumber(score)
    if not at and sub(score, 1, 1) == '-' then at = 0 end
    if not at or at > 1e14 or (ahead ~= '0' and at > now + tonumber(ahead) + slack) then kind = 'far' end
  end
  if kind ~= '' and mend and first ~= '0' then
    removing_first()
    redis.call('ZADD', due, first, id)
  end
  return kind
end

local function mend_running(id, rec)
  local state, flags, planned, sid, owner, ends, crashes, rev, pos = read(rec)
  local expiry = tonumber(ends)
  local function write(head, count)
    redis.call('HSET', runs, id, head .. ' ' .. count .. ' ' .. rev .. ' ' .. sub(rec, pos))
  end
  if state == 'l' and expiry > now + lease then
    if mend then
      removing_first()
      write('l ' .. flags .. ' ' .. planned .. ' ' .. sid .. ' ' .. owner .. ' ' .. int(now + lease), crashes)
    end
    return 'long_lease'
  end
  if state == 'l' and expiry > now then return '' end

  local more = state == 'l' and int(tonumber(crashes) + 1) or crashes
  -- none, or another check's: when the stream is lost its ids may begin anew
  local entry = redis.call('XRANGE', ready, sid, sid)[1]
  if not entry or entry[2][2] ~= id then
    if mend then
      removing_first()
      local paused = find(flags, 'p', 1, true)
      write('w ' .. (paused and 'p' or '-') .. ' ' .. planned .. ' - - 0', more)
      if not paused then redis.call('ZADD', due, int(now), id) end
    end
    return 'lost_entry'
  end
  if pending(sid) then return '' end
  if mend then
    redis.call('XDEL', ready, sid)
    written = true
    sid = redis.call('XADD', ready, '*', 'id', id, 'due', planned)
    write('q ' .. flag(flag(flags, 'a', false), 'v', false) .. ' ' .. planned .. ' ' .. sid .. ' - 0', more)
  end
  return 'lost_pending'
end

local reply = {}
for i = 1, n do
  local id, rec, kind = ids[i], recs[i], ''
  local sha, ahead, first = ARGV[4 * i + 1], ARGV[4 * i + 2], ARGV[4 * i + 3]
  local state, flags, planned, sid, owner, ends, crashes, rev, pos
  local committed, have
  if rec then
    state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, have = read(rec)
  end
  if rec and not have then
    kind = 'bad_record'
    if mend then redis.call('HDEL', runs, id) end
  elseif rec and state == 'b' and way(committed) then
    kind = 'frozen'
  elseif not rec or have ~= short(sha) then
    kind = 'hand'
  elseif state == 'w' then
    kind = mend_waiting(id, rec, scores[i], ahead, first)
  elseif state == 'q' or state == 'l' then
    kind = mend_running(id, rec)
  elseif state == 'b' and scores[i] then
    if mend then redis.call('ZREM', due, id) end
    kind = 'paused_due'
  end
  reply[i] = kind
end
return reply
