#include "storage/deflate/identify.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "storage/base/str_cat.h"
#include "storage/deflate/block_shape.h"
#include "storage/deflate/klauspost/flags.h"

namespace varve {
namespace {

constexpr size_t kShapes = 64;  // blocks that are looked at
constexpr size_t kTrialPiece = 64 << 10;

constexpr size_t kMinHeaderBytes = 10;
constexpr std::string_view kKlauspostTime("\x00\x09\x6e\x88", 4);
constexpr uint8_t kBestExtra = 2;     // XFL of level 9
constexpr uint8_t kFastestExtra = 4;  // XFL of level 1
constexpr uint8_t kUnix = 3;
constexpr uint8_t kUnknownSystem = 255;

constexpr uint64_t kGoTokens = 16384;
constexpr uint64_t kZlibTokens = 16383;
constexpr uint64_t kGzipTokens = 32767;
constexpr uint64_t kKlauspostTokens = 32768;  // levels 7 to 9
constexpr uint64_t kWindowBytes = 65535;      // of a block of the Snappy-like levels
constexpr uint32_t kPigzBytes = 128 << 10;
constexpr uint32_t kPgzipBytes = 1 << 20;
constexpr uint32_t kZlibReach = 32506;

// What all blocks that are whole and not the last of their stream have in common.
struct Facts {
  size_t blocks = 0;  // so many with bytes in them
  bool go_tokens = true;
  bool zlib_tokens = true;
  bool gzip_tokens = true;
  bool klauspost_tokens = true;
  bool window_bytes = true;      // each 65535 bytes
  bool window_multiples = true;  // ends at multiples of 65535
  bool joined = false;  // there is an empty block before the last: what ends blocks of pgzip, pigz
  uint64_t first_join = 0;     // plain bytes before it
  bool short_matches = false;  // of three bytes
  uint32_t longest_distance = 0;
};

Facts GatherFacts(const std::vector<BlockShape>& shapes) {
  Facts facts;
  uint64_t plain = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const BlockShape& shape = shapes[i];
    facts.short_matches = facts.short_matches || shape.shortest_match == 3;
    facts.longest_distance = std::max(facts.longest_distance, shape.longest_distance);
    if (shape.last) break;
    if (shape.plain_bytes == 0) {
      if (!facts.joined) facts.first_join = plain;
      facts.joined = true;
      continue;
    }
    plain += shape.plain_bytes;
    // The last block with bytes in it is short, and so is the one before a join.
    if (i + 1 < shapes.size() && (shapes[i + 1].last || shapes[i + 1].plain_bytes == 0)) continue;
    ++facts.blocks;
    const bool stored = shape.type == BlockType::kStored;
    facts.go_tokens = facts.go_tokens && (stored || shape.tokens == kGoTokens);
    // Pieces of pigz that end at a byte border by themselves have no join.
    facts.zlib_tokens =
        facts.zlib_tokens && (stored || shape.tokens == kZlibTokens || plain % kPigzBytes == 0);
    facts.gzip_tokens =
        facts.gzip_tokens && (stored || shape.tokens == kGzipTokens || shape.tokens % 4096 == 0);
    facts.klauspost_tokens = facts.klauspost_tokens && (stored || shape.tokens == kKlauspostTokens);
    facts.window_bytes = facts.window_bytes && shape.plain_bytes == kWindowBytes;
    facts.window_multiples = facts.window_multiples && plain % kWindowBytes == 0;
  }
  return facts;
}

// No model has blocks so large.
uint32_t Clamped(uint64_t bytes) {
  return static_cast<uint32_t>(std::min<uint64_t>(bytes, UINT32_MAX));
}

struct Header {
  bool klauspost_time = false;
  uint8_t extra = 0;
  uint8_t system = kUnknownSystem;
};

Header ReadHeader(std::string_view bytes) {
  if (bytes.size() < kMinHeaderBytes) return {};
  return {bytes.substr(4, 4) == kKlauspostTime, static_cast<uint8_t>(bytes[8]),
          static_cast<uint8_t>(bytes[9])};
}

// What can have written the header's XFL, the likeliest level first.
std::vector<uint8_t> Levels(uint8_t extra, std::initializer_list<uint8_t> others) {
  if (extra == kBestExtra) return {9};
  if (extra == kFastestExtra) return {1};
  return others;
}

void AddGo(const Facts& facts, const Header& header, std::vector<EncoderParameters>& out) {
  for (const uint8_t level : Levels(header.extra, {6, 5, 7, 8, 4, 9, 1})) {
    if (level == 1 ? facts.window_bytes : facts.go_tokens && !facts.short_matches) {
      out.push_back({.family = EncoderFamily::kGoFlate, .level = level});
    }
  }
}

// The epochs whose streams can differ at the level, the most common first. Without klauspost's
// time it is Go, or a newer klauspost, which writes none.
std::vector<uint64_t> KlauspostEpochs(uint8_t level, bool blocks, bool klauspost_time) {
  std::vector<uint64_t> epochs;
  if (!klauspost_time) epochs.push_back(klauspost::kEpochGo1_27);
  if (klauspost_time || level == 9) epochs.push_back(klauspost::kEpoch1_20_0);
  epochs.push_back(klauspost::kEpoch1_20_4);
  epochs.push_back(klauspost::kEpoch1_15);
  if (level == 4) epochs.push_back(klauspost::kEpoch1_18_0);
  if (level >= 7 && blocks) epochs.push_back(klauspost::kEpoch1_18_2);
  return epochs;
}

void AddKlauspost(const Facts& facts, const Header& header, bool whole,
                  std::vector<EncoderParameters>& out) {
  std::vector<uint32_t> blocks{0};
  if (facts.joined) {
    blocks.clear();
    // A stream of one block has its join at its end, wherever that is.
    if (whole) blocks.push_back(kPgzipBytes);
    if (facts.first_join > 0) blocks.push_back(Clamped(facts.first_join));
  } else if (header.klauspost_time && !whole) {
    blocks.push_back(kPgzipBytes);  // the first join may be behind what is known
  }
  for (const uint32_t block_bytes : blocks) {
    for (const uint8_t level : Levels(header.extra, {5, 6, 3, 2, 4, 7, 8})) {
      const bool fits = level >= 7 ? facts.klauspost_tokens && !facts.short_matches
                                   : facts.window_multiples || block_bytes != 0;
      if (!fits) continue;
      for (const uint64_t flags : KlauspostEpochs(level, block_bytes != 0, header.klauspost_time)) {
        out.push_back({.family = EncoderFamily::kKlauspost,
                       .flags = flags,
                       .level = level,
                       .block_bytes = block_bytes});
      }
    }
  }
}

void AddZlib(const Facts& facts, const Header& header, std::vector<EncoderParameters>& out) {
  if (!facts.zlib_tokens || facts.longest_distance > kZlibReach) return;
  // Some wrappers always write the same XFL.
  std::vector<uint8_t> levels = Levels(header.extra, {});
  for (const uint8_t level : std::initializer_list<uint8_t>{6, 9, 1, 5, 7, 8, 4, 3, 2}) {
    if (std::find(levels.begin(), levels.end(), level) == levels.end()) levels.push_back(level);
  }
  for (const uint8_t level : levels) {
    if (!facts.joined) out.push_back({.family = EncoderFamily::kZlib, .level = level});
  }
  // The first join may be that of a later piece of the usual size.
  std::vector<uint32_t> blocks;
  if (facts.first_join % kPigzBytes == 0) blocks.push_back(kPigzBytes);
  if (facts.first_join > 0 && facts.first_join != kPigzBytes) {
    blocks.push_back(Clamped(facts.first_join));
  }
  for (const uint32_t block_bytes : blocks) {
    for (const uint8_t level : levels) {
      out.push_back({.family = EncoderFamily::kPigz, .level = level, .block_bytes = block_bytes});
    }
  }
}

// Whether the encoder's stream begins like the member.
bool Begins(const EncoderParameters& parameters, const MemberStart& start) {
  auto encoder = NewEncoder(parameters, 0);
  if (!encoder.ok()) return false;
  std::string_view expected = start.deflate;
  std::string got;
  const auto agree = [&] {
    const size_t common = std::min(got.size(), expected.size());
    if (std::string_view(got).substr(0, common) != expected.substr(0, common)) return false;
    expected.remove_prefix(common);
    got.erase(0, common);
    return true;
  };
  for (std::string_view rest = start.plain; !rest.empty();) {
    const size_t part = std::min(rest.size(), kTrialPiece);
    (*encoder)->Write(rest.substr(0, part), got);
    rest.remove_prefix(part);
    if (!agree()) return false;
  }
  if (!start.whole) return true;
  (*encoder)->Finish(got);
  return agree() && got.empty() && expected.empty();
}

std::string Fingerprint(const Facts& facts, const Header& header, bool any) {
  if (!any) return "no deflate stream";
  if (facts.joined) {
    return StrCat(facts.short_matches ? "zlib or gzip" : "klauspost", " in blocks, joined at ",
                  facts.first_join);
  }
  if (facts.blocks == 0) return "a stream of one block";
  if (facts.window_bytes || facts.window_multiples) {
    return "Go level 1 or klauspost level 1 to 6 (blocks of 65535 bytes)";
  }
  if (facts.go_tokens && !facts.short_matches) return "Go up to 1.26, level 2 to 9";
  if (facts.klauspost_tokens && !facts.short_matches) return "klauspost or Go 1.27, level 7 to 9";
  const bool zlib_like = facts.longest_distance <= kZlibReach;
  if (zlib_like && facts.zlib_tokens) return "zlib";
  if (zlib_like && facts.gzip_tokens && header.system == kUnix) return "gzip(1)";
  return StrCat("unknown: OS ", static_cast<unsigned>(header.system), ", XFL ",
                static_cast<unsigned>(header.extra), facts.short_matches ? ", matches of 3" : "",
                ", distances up to ", facts.longest_distance);
}

}  // namespace

Identification Identify(const MemberStart& start) {
  const std::vector<BlockShape> shapes = ReadBlockShapes(start.deflate, kShapes);
  const Facts facts = GatherFacts(shapes);
  const Header header = ReadHeader(start.header);
  Identification found;
  found.fingerprint = Fingerprint(facts, header, !shapes.empty());

  std::vector<EncoderParameters> tried;
  if (header.system == kUnix) AddZlib(facts, header, tried);
  if (header.klauspost_time) AddKlauspost(facts, header, start.whole, tried);
  AddGo(facts, header, tried);
  if (!header.klauspost_time) AddKlauspost(facts, header, start.whole, tried);
  if (header.system != kUnix) AddZlib(facts, header, tried);
  for (const EncoderParameters& parameters : tried) {
    if (found.candidates.size() == kMaxCandidates) break;
    if (Begins(parameters, start)) found.candidates.push_back(parameters);
  }
  // The fused twins differ so late that their start tells nothing: they come last.
  for (size_t i = 0; i < found.candidates.size() && found.candidates.size() < kMaxCandidates; ++i) {
    EncoderParameters twin = found.candidates[i];
    if (twin.family != EncoderFamily::kKlauspost || (twin.flags & klauspost::kFusedEstimate) != 0)
      continue;
    twin.flags |= klauspost::kFusedEstimate;
    if (Begins(twin, start)) found.candidates.push_back(twin);
  }
  return found;
}

}  // namespace varve
