-- adopt: take new or changed specs under care and place their checks.
--
-- KEYS[1] specs    HASH  check id -> spec
-- KEYS[2] runs     HASH  check id -> run record
-- KEYS[3] due      ZSET  check id -> due time, unix ms
-- ARGV[1...] id, rev, spec, sha, mode, oldsha, first, keep: eight a spec. rev is
-- the intake entry's id, empty for a spec that was found in the registry; mode
-- is run, paused or bad (a found spec that is not valid); oldsha is the sha1 of the text
-- that the caller read, empty for none; first is unix ms; keep 1 leaves the due
-- time of a waiting check alone, 2 does too and says that the check is to move
-- Returns for each: new, changed, unchanged, repeated, older, conflict, bad, or
-- moved: it is in another lane or on its way there.

local specs, runs, due = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(specs, 'hash', runs, 'hash', due, 'zset')
if wrong then return wrong end
removing(runs)

-- outdated tells why a request is not applied, nil when it is.
local function outdated(rev, was, rec)
  if not rec then return nil end
  local cmp = rev_cmp(rev, was)
  if cmp == 0 then return 'repeated' end
  if cmp < 0 then return 'older' end
end

-- unasked gives the revision of a spec without a record: older than every
-- request, and never one that a worker may know with another text.
local function unasked() return '0-0.' .. int(server_ms()) end

local function adopt(id, rev, spec, sha, mode, oldsha, first, keep)
  local text = redis.call('HGET', specs, id)
  local have = text and redis.sha1hex(text) or ''
  local rec = redis.call('HGET', runs, id)
  local state, flags, planned, sid, owner, ends, crashes, was, pos
  local committed, oldrec = '-', ''
  if rec then
    state, flags, planned, sid, owner, ends, crashes, was, pos, committed, oldrec = read(rec)
    if not state then return 'bad' end
  end

  local hand = rev == ''
  local why = not hand and outdated(rev, was, rec)
  if why then return why end
  if rec and way(committed) then
    if elsewhere(state, committed) and (state == 'b' or not hand) then return 'moved' end
    committed = '-'
  end
  if have ~= oldsha then return 'conflict' end
  local alive = state == 'w' or state == 'q' or state == 'l'
  if alive and have == sha and oldrec == short(sha) then return 'unchanged' end
  if hand then
    if have ~= sha then return 'conflict' end
    if state == 'b' and oldrec == short(sha) then return 'unchanged' end
    rev = was and rev_bump(was) or unasked()
  else
    redis.call('HSET', specs, id, spec)
  end

  local stop, mark = mode ~= 'run', '0'
  if keep == '2' then first, mark, keep = '1', '1', '1' end
  local tail = ' ' .. rev .. ' ' .. committed .. ' ' .. short(sha) .. ' '
  if state == 'l' or (state == 't' and owner ~= '-') then
    if state == 't' then flags = 'av' end
    redis.call('HSET', runs, id, 'l ' .. flag(flags, 'p', stop) .. ' ' .. planned .. ' ' .. sid .. ' ' .. owner .. ' ' .. ends .. ' 0' .. tail .. first)
  elseif state == 'q' and mode ~= 'bad' then
    redis.call('HSET', runs, id, 'q ' .. flag(flags, 'p', stop) .. ' ' .. planned .. ' ' .. sid .. ' - 0 0' .. tail .. mark)
  else
    local waits = state == 'w' and not find(flags, 'p', 1, true)
    local word = mode == 'bad' and 'b - ' or stop and 'w p ' or 'w - '
    redis.call('HSET', runs, id, word .. (planned or '0') .. ' - - 0 0' .. tail .. '0')
    if stop then
      redis.call('ZREM', due, id)
    elseif hand and not alive then
      redis.call('ZADD', due, 'NX', first, id)
    elseif not (waits and keep == '1') then
      redis.call('ZADD', due, first, id)
    end
  end
  return alive and 'changed' or 'new'
end

local reply = {}
for i = 1, #ARGV, 8 do
  reply[#reply + 1] = adopt(unpack(ARGV, i, i + 7))
end
return reply
