// Image archives for tests, byte by byte, so that they can also be wrong in every way.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_ARCHIVE_BUILDER_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_ARCHIVE_BUILDER_H_

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/image/digest.h"
#include "tests/client/archive/compressed.h"
#include "tests/support/content.h"

namespace varve {

struct TestEntry {
  std::string name = {};
  std::string bytes = {};
  char type = '0';          // of ustar: '0' file, '1' hard link, '2' symbolic link, '3' device
  std::string target = {};  // of links
  uint64_t claimed = 0;     // the size in the header, when it is not that of `bytes`
};

inline std::string TarHeader(const TestEntry& entry) {
  std::string header(512, '\0');
  const auto put = [&](size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  const auto octal = [&](size_t at, int width, uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "%0*llo", width, static_cast<unsigned long long>(value));
    put(at, text);
  };
  put(0, std::string_view(entry.name).substr(0, 100));
  octal(100, 7, 0644);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, entry.claimed != 0 ? entry.claimed : entry.bytes.size());
  octal(136, 11, 0);
  put(148, "        ");
  header[156] = entry.type;
  put(157, std::string_view(entry.target).substr(0, 100));
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  header[154] = '\0';
  return header;
}

inline std::string Tar(const std::vector<TestEntry>& entries) {
  std::string tar;
  for (const TestEntry& entry : entries) {
    tar += TarHeader(entry) + entry.bytes;
    tar.resize((tar.size() + 511) / 512 * 512);
  }
  return tar + std::string(1024, '\0');
}

inline std::string Sha256Hex(const std::string& bytes) { return DigestOf(bytes).substr(7); }

// An image: its layers are what they are, tar or not, since nothing here unpacks them.
struct TestImage {
  explicit TestImage(std::vector<std::string> image_layers,
                     const std::string& architecture = "amd64")
      : layers(std::move(image_layers)) {
    std::vector<std::string> diff_ids;
    std::vector<std::string> descriptors;
    for (const std::string& layer : layers) {
      diff_ids.push_back("\"sha256:" + Sha256Hex(layer) + "\"");
      descriptors.push_back(Described(kLayerType, layer));
    }
    config = "{\"architecture\":\"" + architecture +
             "\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" + Join(diff_ids) +
             "]}}";
    manifest = ManifestOf(Described(kConfigType, config), descriptors);
    platform = ",\"platform\":{\"architecture\":\"" + architecture + "\",\"os\":\"linux\"}";
  }

  Digest id() const { return Sha256Of(config); }
  Digest digest() const { return Sha256Of(manifest); }

  std::vector<std::string> layers;
  std::string config;
  std::string manifest;
  std::string platform;  // to follow the other fields of a descriptor
};

inline std::string Annotated(const std::string& key, const std::string& value) {
  return ",\"annotations\":{\"" + key + "\":\"" + value + "\"}";
}
inline std::string Named(const std::string& name) {
  return Annotated("io.containerd.image.name", name);
}
inline std::string RefNamed(const std::string& name) {
  return Annotated("org.opencontainers.image.ref.name", name);
}

inline TestEntry BlobEntry(const std::string& bytes) {
  return {.name = "blobs/sha256/" + Sha256Hex(bytes), .bytes = bytes, .type = '0', .target = ""};
}

inline std::vector<TestEntry> BlobEntries(const TestImage& image) {
  std::vector<TestEntry> entries;
  for (const std::string& layer : image.layers) entries.push_back(BlobEntry(layer));
  entries.push_back(BlobEntry(image.config));
  entries.push_back(BlobEntry(image.manifest));
  return entries;
}

// An OCI layout: the blobs, then oci-layout and index.json with `descriptors`.
inline std::vector<TestEntry> Layout(std::vector<TestEntry> blobs,
                                     const std::vector<std::string>& descriptors) {
  blobs.push_back({.name = "oci-layout", .bytes = "{\"imageLayoutVersion\":\"1.0.0\"}"});
  blobs.push_back({.name = "index.json", .bytes = IndexOf(descriptors)});
  return blobs;
}

// The layout of one image with one name.
inline std::vector<TestEntry> LayoutOf(const TestImage& image, const std::string& name) {
  return Layout(BlobEntries(image), {Described(kManifestType, image.manifest, Named(name))});
}

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_ARCHIVE_BUILDER_H_
