package leat

import (
	"encoding/hex"
	"testing"
)

// What the C implementation of XXH3 gives for so many bytes, of which byte i is i*7 + i/256.
var xxhVectors = map[int]string{
	0:     "99aa06d3014798d86001c324468d497f",
	1:     "a6cd5e9392000f6ac44bdff4074eecdb",
	2:     "b519c2793d8967669093381c8763d62e",
	3:     "656e81c56e41fe02c3489259e968ad9e",
	4:     "ab5c3e7474d809db81a65295de8e7dde",
	7:     "db0172c49725ff06572ab15ffe6cbd8a",
	8:     "e4b9dd0b66ff3c50ebabbd0695002ff6",
	9:     "82ddc95bc76007671c69c3f04aaed08c",
	15:    "70b7db4639552dd1b36ce5c48d7bf7e7",
	16:    "ddf6c1254d70f76794eaa17b20756f46",
	17:    "263f67af63088041735fe434ded90c3c",
	32:    "a86b514658f976a5407920045a9a834c",
	33:    "a943d80ce26ed2928b59b4dfba3c9de4",
	64:    "a7fa95f7f23b64a7edae5e0312655703",
	65:    "c12aaf5f8a1782a45c95500a9909a96f",
	96:    "dbfa0cd6e568ef54acb9f0967e182865",
	97:    "bc31691d04ea6efefee64835dcb60271",
	128:   "dd9e5aa9bd51cc9cc6bd21ecc865f29f",
	129:   "00433635cf8d872e7f4accb76587485b",
	160:   "2282232242346ee608d4baacce68f2d0",
	161:   "cc5fdeb06fc0ec4f81eb66ebe6de9f17",
	191:   "ace7e5ec7e8135d10409e70a3551db19",
	192:   "c94eb20b109a0a6c8a982804c801303f",
	240:   "89e3a0a2ee355d25d10beb4e0599e4b3",
	241:   "75f4da43f23cce5a541b19226f0052e8",
	256:   "2f433606b2ebce2dff5a1cefade75bb9",
	512:   "3f0a980eaa6f28f8e0410eb388a9c9fa",
	1023:  "1ffe28f0f336d6be3d31fcc1037648a4",
	1024:  "a3da96fbd688736171bee625238addb4",
	1025:  "a53cd4fd16206676d9b414f4e1bbf7ad",
	2047:  "7f376be27f82b1eef5244ce3725df412",
	2048:  "7e487a6edeb1f3fe3293e8238bd8f743",
	2049:  "9361f43b31289cf2922549b11c04c2eb",
	5000:  "e814573b3db786c4ed0146266d138bd8",
	65536: "267bdd80b3f274499ae973f97c1f3eba",
}

func TestFingerprintsAreXXH3(t *testing.T) {
	b := make([]byte, 70000)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	for n, want := range xxhVectors {
		if got := fingerprint(b[:n]); hex.EncodeToString(got[:]) != want {
			t.Errorf("%d bytes: %x, not %s", n, got, want)
		}
	}
}
