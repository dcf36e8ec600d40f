local token = "«753b1f363eb4d8ff19e5ed1add3175c9710ab5ad»"
api_key <- "«413d6b3c6dadca924b7255d0c7216583»"
secret := "«1ZKhkbT2UZUVjOslzn6HsBky64rZnm2r»"
args: ["--password", "«Sn0wGoose22»"]
