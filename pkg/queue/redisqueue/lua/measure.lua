-- measure: tell how many of the next requests may be read at once.
--
-- KEYS[1] intake  STREAM  entries {field, value...}
-- ARGV[1] group   consumer group of the intake
-- ARGV[2] after   look behind this entry; empty: behind what the group has read
-- ARGV[3] max     entries to look at
-- ARGV[4] most    bytes that one may have
-- ARGV[5] all     bytes that they may have together; the first is read in any case
-- Returns {n, id, size}: n may be read. When the first of them is longer than
-- most, n is 0, and id and size are its own; else id is empty.

local intake = KEYS[1]
local wrong = wrong_type(intake, 'stream')
if wrong then return wrong end

local after = ARGV[2]
if after == '' then
  after = '0-0'
  local groups = redis.pcall('XINFO', 'GROUPS', intake)
  for _, g in ipairs(groups.err and {} or groups) do
    local info = {}
    for i = 1, #g, 2 do info[g[i]] = g[i + 1] end
    if info['name'] == ARGV[1] then after = info['last-delivered-id'] end
  end
end

local most, left = tonumber(ARGV[4]), tonumber(ARGV[5])
local n = 0
for _ = 1, tonumber(ARGV[3]) do
  -- one at a time: a page of giants would not fit into memory
  local entry = redis.call('XRANGE', intake, '(' .. after, '+', 'COUNT', 1)[1]
  if not entry then break end
  local size = 0
  for _, text in ipairs(entry[2]) do size = size + #text end
  if size > most then
    if n == 0 then return { 0, entry[1], size } end
    break
  end
  left = left - size
  if n > 0 and left < 0 then break end
  n, after = n + 1, entry[1]
end
return { n, '', 0 }
