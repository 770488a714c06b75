-- prelude: what every move shares. It stands in front of each script.
--
-- A run record is one line of eleven words:
--
--   state flags planned sid owner expiry crashes rev committed sha first
--
-- state      w waiting, q queued, l leased, d done (one-shot), t tombstone,
--            b bad spec
-- flags      - or any of: p paused, a again (due at once after this run),
--            v void (the check was removed and set anew during this run)
-- planned    planned time of the latest run, unix ms; 0 before the first
-- sid        stream entry of the queued or leased run, or -
-- owner      token of the lease, or -
-- expiry     end of the lease, unix ms, or 0
-- crashes    workers lost in a row while they ran this check
-- rev        revision of the spec: intake entry id, with .N after hand edits and moves;
--            0-0.N without a request, where N begins with the time
-- committed  random part of the last committed token, or -
-- sha        the first 16 hex digits of the sha1 of the spec's text
-- first      after an edit during the run: where the new schedule begins, unix
--            ms; of a tombstone: when it is dropped; else 0
--
-- A check that moves to another lane leaves the states that an older binary
-- knows, so that one of those takes it for bad or removed and leaves it alone.
-- Where it goes stands in committed, in front of the random part:
--
--   b ... >lane/kind/at/nonce ... due   frozen, at that time: it waited (w), was
--                          paused (p) or bad (b), and was due then, 0 for not
--                          at all; lane is ? while nobody has said where it goes
--   t ... >lane/kind/at/nonce ... drop  moved within the zone (m), or out of it
--                          (z); or expected from that lane (c)
--
-- With each arrival in another lane the counter of its revision rises: of two
-- records that say where it is the one with the higher revision is right.
--
-- A first of 1 marks a check that is queued or leased: its next dispatch
-- freezes it.
--
-- Scripts never read a spec, and no JSON.

local redis = redis -- a local one is found sooner
local match, sub, find, format = string.match, string.sub, string.find, string.format

-- HEAD takes the words up to rev and the place behind them, TAIL the rest.
local HEAD = '^([wqldtb]) ([pav-]+) (%d+) ([%d-]+) ([^ ]+) (%d+) (%d+) (%d+%-%d+%.?%d*) ()'
local TAIL = '^([^ ]+) ([^ ]+) (%d+)$'

-- read takes a record apart: its words up to rev, the place behind them, then
-- the last three. Nil for one that no script wrote: half of it is missing, a
-- number is out of all bounds, or the words do not go together.
local function read(rec)
  local state, flags, planned, sid, owner, ends, crashes, rev, pos = match(rec, HEAD)
  if not state then return nil end
  local committed, sha, first = match(rec, TAIL, pos)
  if not committed or #planned > 15 or #ends > 15 or #crashes > 9 or #first > 15 or #rev > 60 or #flags > 3 then return nil end
  local ms, seq = match(sid, '^(%d+)%-(%d+)$')
  if ms and (#ms > 19 or #seq > 19) or not ms and sid ~= '-' then return nil end
  local held = owner ~= '-'
  if state == 'q' or state == 'l' then
    if not ms or held ~= (state == 'l') then return nil end
  elseif (held or ms) and (state ~= 't' or held ~= (ms ~= nil)) then
    return nil
  end
  if state ~= 'l' and flags ~= '-' and (flags ~= 'p' or state ~= 'w' and state ~= 'q') then return nil end
  return state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, sha, first
end

local function int(x) return format('%.0f', x) end

local function server_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- wrong_type names the first key that is not of its type: key, type, ...
local function wrong_type(...)
  for i = 1, select('#', ...), 2 do
    local key, want = select(i, ...)
    local have = redis.call('TYPE', key)
    have = have.ok or have
    if have ~= want and have ~= 'none' then
      return redis.error_reply('WRONGTYPE key ' .. key .. ' is a ' .. have .. ', want a ' .. want)
    end
  end
end

-- removing is the first write of a script: it removes nothing, and lets those
-- that follow through when memory is full. No check has such an id.
local function removing(hash) redis.call('HDEL', hash, '(none)') end

-- stream_figures tells how many entries a stream ever had, and how many it has;
-- nil before Redis 7.0, which does not count the former.
local function stream_figures(stream)
  local info, added, length = redis.call('XINFO', 'STREAM', stream), nil, nil
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' then added = info[i + 1] end
    if info[i] == 'length' then length = info[i + 1] end
  end
  return added, length
end

-- num_before compares two decimal numbers without leading zeros.
local function num_before(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

-- rev_cmp is negative when revision a is older than b, 0 when equal.
local function rev_cmp(a, b)
  if a == b then return 0 end
  local a1, a2, a3 = match(a, '^(%d+)%-(%d+)%.?(%d*)$')
  local b1, b2, b3 = match(b, '^(%d+)%-(%d+)%.?(%d*)$')
  if a1 ~= b1 then return num_before(a1, b1) and -1 or 1 end
  if a2 ~= b2 then return num_before(a2, b2) and -1 or 1 end
  return num_before(a3, b3) and -1 or 1
end

-- rev_bump gives the revision of a change by hand: rev plus a counter.
local function rev_bump(rev)
  local base, n = match(rev, '^(%d+%-%d+)%.?(%d*)$')
  return base .. '.' .. int((tonumber(n) or 0) + 1)
end

-- flag adds or takes away one letter of the flags.
local function flag(flags, letter, on)
  local has = find(flags, letter, 1, true)
  if on == (has ~= nil) then return flags end
  if on then return flags == '-' and letter or flags .. letter end
  flags = string.gsub(flags, letter, '')
  return flags == '' and '-' or flags
end

-- short cuts a sha1 to what a record keeps of it.
local function short(sha) return sub(sha, 1, 16) end

-- nonce is the random part of a token, or of the word committed.
local function nonce(token) return match(token, '[^/]+$') end

-- way takes the word committed of a check that moves apart: lane, kind, when
-- it was frozen, unix ms. Nil for any other.
local function way(committed)
  if sub(committed, 1, 1) ~= '>' then return nil end
  return match(committed, '^>([^/]+)/([wpbmzc])/(%d+)/[^/]+$')
end

-- elsewhere tells of a record that the check is on its way, or that it moved
-- to another lane of the zone, or is expected from one: who wants something of
-- it has to look there.
local function elsewhere(state, committed)
  local lane, kind = way(committed)
  return lane and (state == 'b' or kind ~= 'z')
end
