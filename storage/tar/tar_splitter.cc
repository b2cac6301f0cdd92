#include "storage/tar/tar_splitter.h"

#include <algorithm>
#include <utility>

#include "storage/base/status.h"

namespace varve {
namespace {

// Pax records, names and other text about members, in what is found: types whose data belong to the
// skeleton.
bool IsPaxHeader(char type) { return type == 'x' || type == 'X'; }
bool IsAboutMembers(char type) {
  return std::string_view("gLKNA").find(type) != std::string_view::npos;
}

// Links, devices, directories, pipes: whatever their size field says.
bool StoresNothing(char type) { return type >= '1' && type <= '6'; }

size_t PaddingAfter(uint64_t size_bytes) {
  return static_cast<size_t>((kTarBlockBytes - size_bytes % kTarBlockBytes) % kTarBlockBytes);
}

absl::Span<char> Writable(std::array<char, kTarBlockBytes>& block) {
  return {block.data(), block.size()};
}

}  // namespace

absl::Status TarSplitter::Feed(std::string_view bytes) {
  while (!bytes.empty()) RETURN_IF_ERROR(Step(&bytes));
  return absl::OkStatus();
}

absl::Status TarSplitter::Step(std::string_view* bytes) {
  if (state_ == State::kData) return TakeData(bytes);
  if (state_ == State::kPlain) return sink_.Content(std::exchange(*bytes, {}));
  if (state_ == State::kForeign && kept_bytes_ == 0 && bytes->size() >= kTarBlockBytes) {
    return TakeForeign(bytes);
  }
  const size_t wanted = state_ == State::kPadding ? padding_bytes_ : kTarBlockBytes;
  const std::string_view block = Collect(wanted, bytes);
  return block.empty() ? absl::OkStatus() : TakeBlock(block);
}

std::string_view TarSplitter::Collect(size_t size, std::string_view* bytes) {
  std::string_view taken = bytes->substr(0, size - kept_bytes_);
  bytes->remove_prefix(taken.size());
  if (taken.size() == size) return taken;
  taken.copy(kept_.data() + kept_bytes_, taken.size());
  kept_bytes_ += taken.size();
  if (kept_bytes_ < size) return {};
  kept_bytes_ = 0;
  return {kept_.data(), size};
}

absl::Status TarSplitter::TakeBlock(std::string_view block) {
  switch (state_) {
    case State::kSparseMap:
      RETURN_IF_ERROR(TellSkeleton(block));
      return SparseMapGoesOn(block) ? absl::OkStatus() : BeginData();
    case State::kDataMap:
      return TakeDataMap(block);
    case State::kPadding:
      state_ = State::kHeader;
      return TellSkeleton(block);
    case State::kForeign:
      return TakeForeign(&block);
    default:
      return TakeHeaderBlock(block);
  }
}

absl::Status TarSplitter::TakeHeaderBlock(std::string_view block) {
  if (IsZeroBlock(block)) return sink_.Zeros(block.size());
  const std::optional<TarHeader> header = ParseTarHeader(block);
  if (header.has_value()) return TakeHeader(*header, block);
  RETURN_IF_ERROR(BeginContentOfUnknownSize(is_tar_ ? State::kForeign : State::kPlain));
  return sink_.Content(block);
}

absl::Status TarSplitter::TakeHeader(const TarHeader& header, std::string_view block) {
  is_tar_ = true;
  std::array<char, kTarBlockBytes> timeless;
  block.copy(timeless.data(), timeless.size());
  const std::optional<uint64_t> seconds = TakeTarTime(Writable(timeless));
  RETURN_IF_ERROR(seconds.has_value() ? sink_.Header({timeless.data(), timeless.size()}, *seconds)
                                      : sink_.Skeleton(block));

  const bool is_pax = IsPaxHeader(header.type);
  data_bytes_ = StoresNothing(header.type) ? 0 : header.size_bytes;
  data_ = Data::kContent;
  bool map_in_data = false;
  if (is_pax || IsAboutMembers(header.type)) {
    if (data_bytes_ <= kMaxTarMetadataBytes) data_ = is_pax ? Data::kRecords : Data::kSkeleton;
    if (is_pax) records_ = PaxRecords();
  } else {
    const PaxRecords records = std::exchange(records_, PaxRecords());
    if (!StoresNothing(header.type)) data_bytes_ = records.size_bytes().value_or(data_bytes_);
    map_in_data = records.data_begins_with_sparse_map() && data_bytes_ >= kTarBlockBytes;
  }
  padding_bytes_ = PaddingAfter(data_bytes_);
  if (header.sparse_map_goes_on) {
    state_ = State::kSparseMap;
    return absl::OkStatus();
  }
  if (!map_in_data) return BeginData();
  sparse_map_ = SparseMap();
  state_ = State::kDataMap;
  return absl::OkStatus();
}

absl::Status TarSplitter::TakeDataMap(std::string_view block) {
  RETURN_IF_ERROR(TellSkeleton(block));
  data_bytes_ -= block.size();
  const bool goes_on = sparse_map_.Feed(block) == SparseMap::Verdict::kGoesOn;
  return goes_on && data_bytes_ >= kTarBlockBytes ? absl::OkStatus() : BeginData();
}

absl::Status TarSplitter::TakeForeign(std::string_view* bytes) {
  size_t passed = 0;
  std::optional<TarHeader> header;
  while (bytes->size() - passed >= kTarBlockBytes) {
    header = ParseTarHeader(bytes->substr(passed, kTarBlockBytes));
    if (header.has_value()) break;
    passed += kTarBlockBytes;
  }
  if (passed > 0) RETURN_IF_ERROR(sink_.Content(bytes->substr(0, passed)));
  bytes->remove_prefix(passed);
  if (!header.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(sink_.EndContent());
  const std::string_view block = bytes->substr(0, kTarBlockBytes);
  bytes->remove_prefix(block.size());
  return TakeHeader(*header, block);
}

absl::Status TarSplitter::TakeData(std::string_view* bytes) {
  const std::string_view taken = bytes->substr(0, data_bytes_);
  bytes->remove_prefix(taken.size());
  data_bytes_ -= taken.size();
  if (data_ == Data::kRecords) records_.Feed(taken);
  RETURN_IF_ERROR(data_ == Data::kContent ? sink_.Content(taken) : sink_.Skeleton(taken));
  return data_bytes_ == 0 ? EndData() : absl::OkStatus();
}

absl::Status TarSplitter::TellSkeleton(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  return IsZeroBlock(bytes) ? sink_.Zeros(bytes.size()) : sink_.Skeleton(bytes);
}

absl::Status TarSplitter::BeginData() {
  state_ = State::kData;
  if (data_ == Data::kContent && data_bytes_ < kMinTarContentBytes) data_ = Data::kSkeleton;
  if (data_ == Data::kContent) RETURN_IF_ERROR(sink_.BeginContent(data_bytes_));
  return data_bytes_ == 0 ? EndData() : absl::OkStatus();
}

absl::Status TarSplitter::EndData() {
  state_ = padding_bytes_ == 0 ? State::kHeader : State::kPadding;
  return data_ == Data::kContent ? sink_.EndContent() : absl::OkStatus();
}

absl::Status TarSplitter::BeginContentOfUnknownSize(State state) {
  state_ = state;
  return sink_.BeginContent(std::nullopt);
}

absl::Status TarSplitter::Finish() {
  const std::string_view kept(kept_.data(), kept_bytes_);
  const bool too_short = state_ == State::kHeader && !is_tar_ && !IsZeroBlock(kept);
  if (too_short) RETURN_IF_ERROR(BeginContentOfUnknownSize(State::kPlain));
  const bool in_content = state_ == State::kPlain || state_ == State::kForeign ||
                          (state_ == State::kData && data_ == Data::kContent);
  if (!in_content) return TellSkeleton(kept);
  if (!kept.empty()) RETURN_IF_ERROR(sink_.Content(kept));
  return sink_.EndContent();
}

}  // namespace varve
