local token = "«5890533b45a522f7be58f081995ece35973c15f6»"
api_key <- "«03c6859300c3cab2fe6311e36437f498»"
secret := "«ctA468xTBbznNdwjt5KfNx52TKCWwwcW»"
args: ["--password", "«n0tTh4tOne?»"]
