-- plant: write tombstones where nothing newer stands.
--
-- KEYS[1] runs  HASH  check id -> run record
-- ARGV[1...] id, rev, way, drop: four a tombstone. way is -, or the word committed
-- of a check that is expected; drop is when it goes, unix ms
-- Returns for each: planted; live, the check is here; newer, its tombstone is; bad.

local runs = KEYS[1]
local wrong = wrong_type(runs, 'hash')
if wrong then return wrong end

removing(runs)

local function plant(id, rev, word, drop)
  local rec = redis.call('HGET', runs, id)
  local before = '0'
  if rec then
    local state, flags, planned, sid, owner, ends, crashes, was, pos, committed = read(rec)
    if not state then return 'bad' end
    if state ~= 't' or owner ~= '-' then return 'live' end
    if rev_cmp(rev, was) <= 0 and (word == '-' or not way(committed)) then return 'newer' end
    before = planned
  end
  redis.call('HSET', runs, id, 't - ' .. before .. ' - - 0 0 ' .. rev .. ' ' .. word .. ' - ' .. drop)
  return 'planted'
end

local reply = {}
for i = 1, #ARGV, 4 do
  reply[#reply + 1] = plant(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
return reply
